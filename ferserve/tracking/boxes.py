"""Arithmetic of single boxes (x0, y0, x1, y1) in pixels, as plain tuples: for the one or two faces of a frame, NumPy's
calls cost more than the sums."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Box: TypeAlias = tuple[float, float, float, float]

_EDGE_PX = 0.01
"""A face that overlaps the frame by less is outside, even after rounding."""
_CUT_PX = 1.0
"""A box that ends nearer to the edge of the frame is cut by it."""
_FACE_WIDTH = 0.77
"""Width of a face's box as a share of its height."""


def between(a: Box, b: Box, part: float) -> Box:
    """``part`` of the way from one box to another."""
    w = 1 - part
    return w * a[0] + part * b[0], w * a[1] + part * b[1], w * a[2] + part * b[2], w * a[3] + part * b[3]


def shifted(xyxy: Box, dx: float, dy: float) -> Box:
    """The box, moved by (dx, dy)."""
    return xyxy[0] + dx, xyxy[1] + dy, xyxy[2] + dx, xyxy[3] + dy


def grown(xyxy: Box, factor: float) -> Box:
    """A box with the same centre and sides ``factor`` times as long."""
    x0, y0, x1, y1 = xyxy
    more = (factor - 1) / 2
    dx, dy = (x1 - x0) * more, (y1 - y0) * more
    return x0 - dx, y0 - dy, x1 + dx, y1 + dy


def log_side(xyxy: Box) -> float:
    """Logarithm of the geometric mean of the sides, px."""
    return math.log(max((xyxy[2] - xyxy[0]) * (xyxy[3] - xyxy[1]), 1e-6)) / 2


def carried(points: NDArray[np.float32], before: Box, after: Box) -> NDArray[np.float32]:
    """``points`` (5, 2) of the box ``before``, moved and scaled to the box ``after``."""
    factor = math.exp(log_side(after) - log_side(before))
    dx = (after[0] + after[2] - factor * (before[0] + before[2])) / 2
    dy = (after[1] + after[3] - factor * (before[1] + before[3])) / 2
    return points * np.float32(factor) + np.array([dx, dy], np.float32)


def overlaps_frame(xyxy: Box, luma: NDArray[np.uint8]) -> bool:
    """Whether a part of the box lies in the frame ``luma`` (H, W)."""
    height, width = luma.shape
    return xyxy[0] < width - _EDGE_PX and xyxy[1] < height - _EDGE_PX and xyxy[2] > _EDGE_PX and xyxy[3] > _EDGE_PX


def is_cut(xyxy: Box, luma: NDArray[np.uint8]) -> bool:
    """Whether the box touches the edge of the frame ``luma`` (H, W), so that a part of the face may lie outside."""
    height, width = luma.shape
    return xyxy[0] < _CUT_PX or xyxy[1] < _CUT_PX or xyxy[2] > width - _CUT_PX or xyxy[3] > height - _CUT_PX


def completed(xyxy: Box, luma: NDArray[np.uint8]) -> Box:
    """The box of a face that the edge of the frame ``luma`` (H, W) cuts, grown over it to a face's proportions."""
    x0, y0, x1, y1 = xyxy
    height, width = luma.shape
    wide, tall = _FACE_WIDTH * (y1 - y0), (x1 - x0) / _FACE_WIDTH
    if x1 - x0 < wide:
        x0, x1 = (x1 - wide, x1) if x0 < _CUT_PX else (x0, x0 + wide) if x1 > width - _CUT_PX else (x0, x1)
    else:
        y0, y1 = (y1 - tall, y1) if y0 < _CUT_PX else (y0, y0 + tall) if y1 > height - _CUT_PX else (y0, y1)
    return x0, y0, x1, y1


def held_in(xyxy: Box, luma: NDArray[np.uint8]) -> Box:
    """The box, moved so that its centre lies in the frame ``luma`` (H, W)."""
    height, width = luma.shape
    x, y = (xyxy[0] + xyxy[2]) / 2, (xyxy[1] + xyxy[3]) / 2
    return shifted(xyxy, min(max(x, 0), width) - x, min(max(y, 0), height) - y)


def overlap(a: Box, b: Box) -> float:
    """Intersection over union."""
    wide, tall = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if wide <= 0 or tall <= 0:
        return 0.0
    shared = wide * tall
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def distance(a: Box, b: Box) -> float:
    """Distance of the centres."""
    return math.hypot(a[0] + a[2] - b[0] - b[2], a[1] + a[3] - b[1] - b[3]) / 2
