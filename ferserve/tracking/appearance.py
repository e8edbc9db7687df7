"""What faces look like, for telling people apart."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ferserve.tracking.template import TEMPLATE_PX, Boxes, Pixels, Sampler

_SHIFTS = 8
_SEARCH_PX = TEMPLATE_PX + _SHIFTS
_LEAST_VISIBLE = TEMPLATE_PX // 3
"""Rows or columns of a template below which it shows nothing."""


def likeness(luma: Pixels, boxes: Boxes, portraits: Sequence[Pixels], sample: Sampler) -> NDArray[np.float64]:
    """Correlation of N faces at ``boxes`` (N, 4) with M ``portraits`` uint8 (24, 24), as (N, M) in [-1, 1].

    Best over shifts by up to a sixth of a face: detections jitter.
    """
    margin = (boxes[:, 2:] - boxes[:, :2]) * ((_SEARCH_PX / TEMPLATE_PX - 1) / 2)
    regions = sample(luma, (boxes + np.concatenate([-margin, margin], axis=1)).astype(np.float32), _SEARCH_PX)
    scores = np.zeros((len(boxes), len(portraits)))
    for row, region in enumerate(regions):
        down, across = _visible(boxes[row].tolist(), luma.shape)
        part = region[down.start : down.stop + _SHIFTS, across.start : across.stop + _SHIFTS]
        for column, portrait in enumerate(portraits):
            response = cv2.matchTemplate(part, portrait[down, across], cv2.TM_CCOEFF_NORMED)
            scores[row, column] = response.max() if response.max() > response.min() else 0.0  # flat: matches anything
    return scores


def _visible(box: list[float], shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns of a template of ``box`` that show the frame of ``shape``, not what lies outside of it."""
    x0, y0, x1, y1 = box
    return _inside(y0, y1, shape[0]), _inside(x0, x1, shape[1])


def _inside(low: float, high: float, size: int) -> slice:
    cell = (high - low) / TEMPLATE_PX
    start, stop = max(math.ceil(-low / cell), 0), min(math.floor((size - low) / cell), TEMPLATE_PX)
    return slice(start, stop) if stop - start >= _LEAST_VISIBLE else slice(0, TEMPLATE_PX)
