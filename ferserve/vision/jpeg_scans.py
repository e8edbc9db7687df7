"""Whether a JPEG that a decoder has doubts about holds all of its pixels.

Decoders make up what is missing and merely warn of it, as they warn of bytes that do no harm. :func:`probe_of` tells
one from the other: it puts filler behind each run of entropy-coded data. If all pixels are there, no decoder ever reads
the filler, and the picture stays the same; if some are missing, other pixels come out.
"""

from __future__ import annotations

import re
import struct
from hashlib import shake_256

from ferserve.vision.jpeg_markers import DRI, END_OF_SCAN, EOI, MAX_SCANS, PROGRESSIVE, SOF, SOS, Segment, segments

_RESTART = re.compile(rb"(\xff[\xd0-\xd7])")
# Begins with a one, because decoders make up zeros: the first missing code comes out different. The rest is random, so
# that chroma blocks soon end and luma comes next.
FILLER = b"\xaa" + shake_256(b"filler").digest(255).replace(b"\xff", b"\0")
_MAX_INTERVALS = 65_536
"""In a scan that is probed; each takes a filler."""
_FINAL_ZEROS_OF_CHROMA = 1
"""Zero bytes at the end of a picture that may be flat chroma. Others are taken for the rest of a camera's buffer, not
for pixels: which they are, nobody can tell.
"""
_END = bytes((0xFF, EOI))


def probe_of(data: bytes, *, color: bool) -> bytes | None:
    """``data`` with filler behind each run of entropy-coded data, and with an end marker.

    None if restart intervals or whole scans are missing, of the luma alone unless ``color``. ``data`` is a JPEG whose
    header has been read.
    """
    try:
        return _Walk(data, color).filled()
    except (struct.error, KeyError, IndexError, ValueError, ZeroDivisionError):
        return None


class _Walk:
    """From one scan to the next, with what the segments between them say."""

    def __init__(self, data: bytes, color: bool) -> None:
        self._data = data
        self._color = color
        self._width, self._height = 0, 0
        self._progressive = False
        self._sampling: dict[int, tuple[int, int]] = {}
        """Factors (h, v) of each component by its id, the luma first."""
        self._restart_interval = 0
        self._missing: set[tuple[int, int]] = set()
        """Components and their coefficients that no scan has brought to the last bit."""

    def filled(self) -> bytes | None:
        """See :func:`probe_of`; raises as it reads beyond what is there."""
        data, at, parts, scans = self._data, 2, [self._data[:2]], 0
        while (scan := self._next_scan(at)) is not None:
            scans += 1
            if scans > MAX_SCANS:
                return None
            found = END_OF_SCAN.search(data, scan.end)
            end = found.start() if found else len(data)
            pixels = data[scan.end : end]
            if found is None or data[found.end() - 1] == EOI:
                pixels = _without_final_zeros(pixels, _FINAL_ZEROS_OF_CHROMA if self._color else 0)
            intervals = self._intervals(scan, pixels)
            if intervals is None:
                return None
            parts += (data[at : scan.end], *intervals)
            at = end
        return None if self._missing else b"".join((*parts, data[at:], _END))

    def _next_scan(self, at: int) -> Segment | None:
        """The start of the next scan; None at the end of the image."""
        data = self._data
        for segment in segments(data, at):
            if segment.marker in SOF:
                self._start_frame(segment)
            elif segment.marker == DRI:
                (self._restart_interval,) = struct.unpack_from(">H", data, segment.start + 4)
            elif segment.marker == SOS:
                self._note_scan(segment)
                return segment
        return None

    def _start_frame(self, segment: Segment) -> None:
        self._height, self._width, count = struct.unpack_from(">HHB", self._data, segment.start + 5)
        components = [self._data[at : at + 3] for at in range(segment.start + 10, segment.start + 10 + 3 * count, 3)]
        self._progressive = segment.marker in PROGRESSIVE
        self._sampling = {id_: (factors >> 4, factors & 15) for id_, factors, _ in components}
        needed = list(self._sampling) if self._color else list(self._sampling)[:1]
        self._missing = {(id_, k) for id_ in needed for k in range(64)}

    def _note_scan(self, scan: Segment) -> None:
        """A progressive scan brings coefficients ``first`` to ``last``, but for their ``bits_left`` lowest bits."""
        first, last, bits = self._data[scan.end - 3 : scan.end]
        bits_left = bits & 15
        if not self._progressive:
            first, last, bits_left = 0, 63, 0
        if bits_left == 0:
            self._missing -= {(id_, k) for id_ in self._components(scan) for k in range(first, last + 1)}

    def _components(self, scan: Segment) -> bytes:
        count = self._data[scan.start + 4]
        return self._data[scan.start + 5 : scan.start + 5 + 2 * count : 2]

    def _intervals(self, scan: Segment, pixels: bytes) -> list[bytes] | None:
        """The restart intervals of a scan, each with filler, and the markers between them; None if some are missing."""
        count = 1
        if self._restart_interval:
            count = -(-self._units(self._components(scan)) // self._restart_interval)
        if count > _MAX_INTERVALS:
            return None
        parts = _RESTART.split(pixels, count - 1) if count > 1 else [pixels]
        if parts[1::2] != [bytes((0xFF, 0xD0 + i % 8)) for i in range(count - 1)]:
            return None
        parts[::2] = [interval.rstrip(b"\xff") + FILLER for interval in parts[::2]]  # fill bytes would make a marker
        return parts

    def _units(self, components: bytes) -> int:
        """Minimum coded units of a scan of ``components`` (T.81, A.2)."""
        h, v = self._sampling[components[0]] if len(components) == 1 else (1, 1)
        max_h, max_v = max(h for h, _ in self._sampling.values()), max(v for _, v in self._sampling.values())
        across, down = -(-self._width * h // (8 * max_h)), -(-self._height * v // (8 * max_v))
        return across * down


def _without_final_zeros(pixels: bytes, kept: int) -> bytes:
    pixels = pixels.rstrip(b"\xff")  # fill bytes before a marker
    end = len(pixels.rstrip(b"\0"))
    stuffed = int(pixels[end - 1 : end] == b"\xff")  # 0xFF is written as FF 00
    return pixels[: end + kept + stuffed]
