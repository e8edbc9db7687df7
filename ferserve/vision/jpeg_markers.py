"""The markers of a JPEG (ITU-T T.81, annex B), read as tolerantly as libjpeg does."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

SOS: Final = 0xDA
EOI: Final = 0xD9
DRI: Final = 0xDD
APP1: Final = 0xE1
# C0 to CF without DHT (C4), JPG (C8) and DAC (CC); table B.1.
SOF: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
PROGRESSIVE: Final = frozenset({0xC2, 0xC6, 0xCA, 0xCE})

_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xDA)})
_MARKER = re.compile(rb"\xff[^\x00\xff]")


class Segment(NamedTuple):
    """A marker with its parameters, ``data[start:end]``; ``stray`` if bytes that belong to nothing stand before it."""

    marker: int
    start: int
    end: int
    stray: bool


def segments(data: bytes, at: int) -> Iterator[Segment]:
    """The segments from byte ``at`` on, up to the first start of a scan, end of the image, or end of ``data``.

    Bytes between two segments are skipped, fill bytes 0xFF without a word. Raises ``struct.error`` for a segment whose
    length is cut off.
    """
    while found := _MARKER.search(data, at):
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
