"""What a WebP says of itself (RFC 9649): size, orientation, and whether it is animated."""

from __future__ import annotations

import struct

from ferserve.errors import InvalidFrameError
from ferserve.vision.exif import UPRIGHT, orientation_of
from ferserve.vision.image_header import ImageHeader

_ANIMATION, _EXIF = 0x02, 0x08
_FIRST_CHUNK = 12


def read_webp_header(data: bytes) -> ImageHeader:
    """Raises :class:`InvalidFrameError`, and ``struct.error`` or ``IndexError`` for a header that is cut off."""
    chunk = data[_FIRST_CHUNK : _FIRST_CHUNK + 4]
    if chunk == b"VP8X":
        return _extended(data)
    if chunk == b"VP8L":
        (packed,) = struct.unpack_from("<I", data, 21)
        return ImageHeader("webp", (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1)
    if chunk == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return ImageHeader("webp", width & 0x3FFF, height & 0x3FFF)
    raise InvalidFrameError(f"encoded must be a valid WebP, got a first chunk named {chunk!r}")


def _extended(data: bytes) -> ImageHeader:
    flags = data[20]
    if flags & _ANIMATION:
        raise InvalidFrameError("encoded must be a still image, got an animated WebP; send its frames one by one")
    width = int.from_bytes(data[24:27], "little") + 1
    height = int.from_bytes(data[27:30], "little") + 1
    if len(data) < 30:
        raise IndexError
    return ImageHeader("webp", width, height, _orientation(data) if flags & _EXIF else UPRIGHT)


def _orientation(data: bytes) -> int:
    at = _FIRST_CHUNK
    while at + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, at)
        if kind == b"EXIF":
            return orientation_of(data[at + 8 : at + 8 + length].removeprefix(b"Exif\0\0"))
        at += 8 + length + length % 2
    return UPRIGHT
