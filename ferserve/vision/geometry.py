"""Arithmetic of boxes (x0, y0, x1, y1), half-open, in pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def iou_matrix(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of every box of ``a`` (N, 4) with every box of ``b`` (M, 4), float32 (N, M).

    A box without area has 0 with every box.
    """
    corner = np.minimum(a[:, None, 2:], b[:, 2:]) - np.maximum(a[:, None, :2], b[:, :2])
    wide, tall = np.maximum(corner, 0).transpose(2, 0, 1)
    size_a, size_b = np.maximum(a[:, 2:] - a[:, :2], 0), np.maximum(b[:, 2:] - b[:, :2], 0)
    shared = wide * tall
    union = (size_a[:, 0] * size_a[:, 1])[:, None] + size_b[:, 0] * size_b[:, 1] - shared
    return np.asarray(shared / np.maximum(union, 1e-9), np.float32)
