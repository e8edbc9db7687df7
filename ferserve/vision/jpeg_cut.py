"""How much of a sequential JPEG is there if its end is missing.

As in :mod:`ferserve.vision.jpeg_scans`, filler tells: behind the last byte that is there it changes every pixel that
depends on a missing one, and no other.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

import numpy as np
import simplejpeg

from ferserve.vision.jpeg_markers import DRI, END_OF_SCAN, EOI, SOF, SOS, sampling, segments
from ferserve.vision.jpeg_scans import FILLER
from ferserve.vision.picture import Pixels

_RESTART = re.compile(rb"\xff([\xd0-\xd7])")
_END = bytes((0xFF, EOI))
_BLOCK_PX = 8
GREY = 128


def keep_whole_rows(data: bytes, pixels: Pixels, colorspace: str) -> int:
    """Decode what is there of ``data`` into ``pixels`` (H, W, 1 or 3), make the other rows grey; how many are whole.

    ``data`` is a JPEG of one scan whose header has been read. Raises ValueError if not even a part can be decoded, and
    ``struct.error``, LookupError or StopIteration for one that ends in its header.
    """
    start = _Start.of(data)
    part, intervals = start.part(data)
    filled = np.empty_like(pixels)
    simplejpeg.decode_jpeg(part + _END, colorspace, fastdct=True, strict=False, buffer=pixels)
    simplejpeg.decode_jpeg(part + FILLER + _END, colorspace, fastdct=True, strict=False, buffer=filled)
    differs = next((row for row in range(len(pixels)) if not np.array_equal(pixels[row], filled[row])), len(pixels))
    whole = min(differs // start.unit_height_px * start.unit_height_px, start.rows_of(intervals))
    pixels[whole:] = GREY
    return whole


@dataclass(frozen=True)
class _Start:
    """What the segments before the pixels say."""

    pixels_at: int
    unit_height_px: int
    units_per_row: int
    height_px: int
    restart_interval: int

    @staticmethod
    def of(data: bytes) -> _Start:
        found = {segment.marker: segment for segment in segments(data, 2)}
        frame = next(found[marker] for marker in found if marker in SOF)
        interval = _uint16(data, found[DRI].start + 4) if DRI in found else 0
        factors = sampling(data, frame)
        across, down = (max(h for h, _ in factors), max(v for _, v in factors)) if len(factors) > 1 else (1, 1)
        height, width = _uint16(data, frame.start + 5), _uint16(data, frame.start + 7)
        return _Start(found[SOS].end, _BLOCK_PX * down, -(-width // (_BLOCK_PX * across)), height, interval)

    def part(self, data: bytes) -> tuple[bytes, int | None]:
        """``data`` up to the last byte that belongs to its pixels; restart intervals begun, None without intervals."""
        found = END_OF_SCAN.search(data, self.pixels_at)
        end = found.start() if found else len(data)
        if not self.restart_interval:
            return data[: self.pixels_at] + _without_padding(data[self.pixels_at : end]), None
        begun = 1
        for marker in _RESTART.finditer(data, self.pixels_at, end):
            if marker[1][0] != 0xD0 + (begun - 1) % 8:  # intervals are missing
                end = marker.start()
                break
            begun += 1
        return data[: self.pixels_at] + _without_padding(data[self.pixels_at : end]), begun

    def rows_of(self, intervals: int | None) -> int:
        """Rows that so many restart intervals hold whole."""
        if intervals is None:
            return self.height_px
        return min(intervals * self.restart_interval // self.units_per_row * self.unit_height_px, self.height_px)


def _uint16(data: bytes, at: int) -> int:
    (value,) = struct.unpack_from(">H", data, at)
    return int(value)


def _without_padding(pixels: bytes) -> bytes:
    """A camera's buffer ends in zeros or ones."""
    return pixels.rstrip(b"\xff").rstrip(b"\0").rstrip(b"\xff")
