"""The markers of a JPEG (ITU-T T.81, annex B), read as tolerantly as libjpeg does."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from ferserve.errors import InvalidFrameError

SOS: Final = 0xDA
EOI: Final = 0xD9
DRI: Final = 0xDD
APP1: Final = 0xE1
# C0 to CF without DHT (C4), JPG (C8) and DAC (CC); table B.1.
SOF: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
PROGRESSIVE: Final = frozenset({0xC2, 0xC6, 0xCA, 0xCE})

MAX_SCANS: Final = 100
"""Encoders write about ten; a scan takes as few as 10 bytes and may cost a pass over all pixels."""
_MAX_SEGMENTS: Final = 1000
"""Before a scan; cameras write about ten."""
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xDA)})
_MARKER = re.compile(rb"\xff[^\x00\xff]")
END_OF_SCAN: Final = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")


class Segment(NamedTuple):
    """A marker with its parameters, ``data[start:end]``; ``stray`` if bytes that belong to nothing stand before it."""

    marker: int
    start: int
    end: int
    stray: bool


def segments(data: bytes, at: int) -> Iterator[Segment]:
    """The segments from byte ``at`` on, up to the first start of a scan, end of the image, or end of ``data``.

    Bytes between two segments are skipped, fill bytes 0xFF without a word. Raises ``struct.error`` for a segment whose
    length is cut off, and :class:`InvalidFrameError` for too many of them.
    """
    for _ in range(_MAX_SEGMENTS):
        found = _MARKER.search(data, at)
        if found is None:
            return
        start = found.start()
        stray = at < start and bool(data[at:start].strip(b"\xff"))
        marker = data[start + 1]
        at = start + 2
        if marker not in _WITHOUT_LENGTH:
            (length,) = struct.unpack_from(">H", data, at)
            at += max(length, 2)
        yield Segment(marker, start, at, stray)
        if marker in (SOS, EOI):
            return
    raise InvalidFrameError(f"encoded must be a valid JPEG, got {_MAX_SEGMENTS} segments before any pixels")


def count_scans(data: bytes, pixels_at: int) -> int:
    """Scans of a JPEG whose first one has its pixels from byte ``pixels_at`` on.

    Raises :class:`InvalidFrameError` for more than :data:`MAX_SCANS`. ``data.count`` would also count scans of a
    thumbnail, and of pictures behind the end.
    """
    for count in range(1, MAX_SCANS + 1):
        found = END_OF_SCAN.search(data, pixels_at)
        last = _last_segment(data, found.start()) if found else None
        if last is None or last.marker != SOS:
            return count
        pixels_at = last.end
    raise InvalidFrameError(
        f"encoded must have at most {MAX_SCANS} scans, got a JPEG with more; send it with one (baseline)"
    )


def _last_segment(data: bytes, at: int) -> Segment | None:
    last = None
    try:
        for segment in segments(data, at):
            last = segment
    except struct.error:
        return None
    return last


def sampling(data: bytes, frame: Segment) -> list[tuple[int, int]]:
    """Factors (h, v) of each component."""
    (count,) = struct.unpack_from(">B", data, frame.start + 9)
    factors = data[frame.start + 11 : frame.start + 11 + 3 * count : 3]
    return [(max(each >> 4, 1), max(each & 15, 1)) for each in factors]
