"""Pictures in planes of Y, U and V, to draw into: decoders give them and encoders take them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels: TypeAlias = NDArray[np.uint8]
Bgr: TypeAlias = tuple[int, int, int]
Corners: TypeAlias = tuple[int, int, int, int]
"""(x0, y0, x1, y1) px, half-open."""

_GREY = 128
_UNKNOWN = 2


@dataclass(frozen=True)
class Colors:
    """How numbers mean colours: the range of the luma, and the codes of ISO/IEC 23091-2; 2 means unknown."""

    full_range: bool = False
    matrix: int = _UNKNOWN
    primaries: int = _UNKNOWN
    transfer: int = _UNKNOWN


class YuvPicture:
    """A picture of 4:2:0 that can be drawn into."""

    def __init__(self, i420: Pixels, colors: Colors, aspect: Fraction) -> None:
        """``i420`` uint8 (H * 3 / 2, W), which is drawn into; ``aspect`` is that of a pixel."""
        self.i420, self.colors, self.aspect = i420, colors, aspect
        self.luma, self._u, self._v = planes_of(i420)
        self.height, self.width = self.luma.shape

    def outline(self, corners: Corners, color: Bgr, thickness: int) -> None:
        """Draw the edges of a rectangle."""
        x0, y0, x1, y1 = corners
        for side in (
            (x0, y0, x1, y0 + thickness),
            (x0, y1 - thickness, x1, y1),
            (x0, y0, x0 + thickness, y1),
            (x1 - thickness, y0, x1, y1),
        ):
            self.fill(side, color)

    def fill(self, corners: Corners, color: Bgr) -> None:
        """Fill a rectangle."""
        y, u, v = self._yuv(color)
        x0, y0, x1, y1 = self._inside(corners)
        self.luma[y0:y1, x0:x1] = y
        half = slice(y0 // 2, (y1 + 1) // 2), slice(x0 // 2, (x1 + 1) // 2)
        self._u[half], self._v[half] = u, v

    def darken(self, corners: Corners) -> None:
        """Take the colour of a rectangle and most of its light, as a ground for writing."""
        x0, y0, x1, y1 = self._inside(corners)
        self.luma[y0:y1, x0:x1] >>= 2
        self.luma[y0:y1, x0:x1] += 0 if self.colors.full_range else 12
        half = slice(y0 // 2, (y1 + 1) // 2), slice(x0 // 2, (x1 + 1) // 2)
        self._u[half], self._v[half] = _GREY, _GREY

    def lighten(self, corner: tuple[int, int], mask: Pixels) -> None:
        """Write ``mask`` uint8 (h, w), white on 0, with its upper left corner at (x, y) px."""
        x, y = corner
        x0, y0, x1, y1 = self._inside((x, y, x + mask.shape[1], y + mask.shape[0]))
        part = self.luma[y0:y1, x0:x1]
        np.maximum(part, mask[y0 - y : y1 - y, x0 - x : x1 - x], out=part)

    def _inside(self, corners: Corners) -> Corners:
        x0, y0, x1, y1 = corners
        x0, y0 = min(max(x0, 0), self.width), min(max(y0, 0), self.height)
        return x0, y0, min(max(x1, x0), self.width), min(max(y1, y0), self.height)

    def _yuv(self, color: Bgr) -> tuple[int, int, int]:
        blue, green, red = color
        y = 0.299 * red + 0.587 * green + 0.114 * blue  # BT.601; nobody sees the difference in a box
        u, v = _GREY + 0.564 * (blue - y), _GREY + 0.713 * (red - y)
        if self.colors.full_range:
            return round(y), round(min(u, 255)), round(min(v, 255))
        scaled = [16 + y * 219 / 255, *(_GREY + (chroma - _GREY) * 224 / 255 for chroma in (u, v))]
        return round(scaled[0]), round(scaled[1]), round(scaled[2])


def planes_of(i420: Pixels) -> tuple[Pixels, Pixels, Pixels]:
    """Views of the planes Y (H, W), U and V (H / 2, W / 2) of (H * 3 / 2, W)."""
    rows, width = i420.shape
    height = rows * 2 // 3
    u, v = i420[height:].reshape(2, height // 2, width // 2)
    return i420[:height], u, v


def i420_of_bgr(bgr: Pixels) -> Pixels:
    """The planes of a picture uint8 (H, W, 3), luma from 16 to 235; an odd last row or column is left out."""
    height, width = bgr.shape[0] & ~1, bgr.shape[1] & ~1
    return np.asarray(cv2.cvtColor(bgr[:height, :width], cv2.COLOR_BGR2YUV_I420), np.uint8)
