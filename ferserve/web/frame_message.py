"""The binary message of one frame: a header of 16 bytes, then the picture's file."""

from __future__ import annotations

import struct
from typing import Final

from ferserve.errors import StreamProtocolError
from ferserve.types import EncodedImage, Frame

HEADER: Final = struct.Struct("!BBHIQ")
"""Version, flags, two bytes of zero, the frame's id, and its capture time in ns; in network byte order."""
VERSION: Final = 1
NEUTRAL: Final = 1
"""Flag of a frame in which every face shows its neutral expression."""
_MAX_TIME_NS: Final = 2**63 - 1


def frame_of(message: bytes) -> Frame:
    """The frame in ``message``; raises :class:`StreamProtocolError` if its header is no header."""
    if len(message) < HEADER.size:
        raise StreamProtocolError(
            f"frame must be a header of {HEADER.size} bytes and a picture, got {len(message)} bytes"
        )
    version, flags, zero, frame_id, capture_time_ns = HEADER.unpack_from(message)
    if version != VERSION or flags & ~NEUTRAL or zero or capture_time_ns > _MAX_TIME_NS:
        raise StreamProtocolError(
            f"frame must begin with version {VERSION}, known flags and two bytes of zero, got {message[:4].hex(' ')}; "
            "see docs/web.md"
        )
    return Frame(frame_id, EncodedImage(message[HEADER.size :]), capture_time_ns, neutral=bool(flags & NEUTRAL))
