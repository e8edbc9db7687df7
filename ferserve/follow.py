"""Following a face from one frame to the next without the detector.

A small grey template of the face, taken when the detector last saw it, is searched for around the place where the face
should be. The measure is the normalised correlation coefficient (Lewis 1995, "Fast Normalized Cross-Correlation"),
which light and contrast do not change; the peak is refined between cells by a parabola.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels: TypeAlias = NDArray[np.uint8]
Boxes: TypeAlias = NDArray[np.float32]

Sampler: TypeAlias = Callable[[Pixels, Boxes, int], Pixels]
"""(luma, xyxy (N, 4), side) to crops uint8 (N, side, side), each box stretched to a square."""

TEMPLATE_PX = 24
REGION_PX = 2 * TEMPLATE_PX
_CENTRE = (REGION_PX - TEMPLATE_PX) // 2


def templates_of(luma: Pixels, xyxy: Boxes, sample: Sampler) -> Pixels:
    """What the faces in ``xyxy`` look like: uint8 (N, 24, 24)."""
    return sample(luma, xyxy, TEMPLATE_PX)


def locate(
    luma: Pixels, expected: Boxes, templates: Pixels, sample: Sampler
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Search each template within half a face around its ``expected`` box.

    Returns how far each face is from there, float32 (N, 2) in px of the frame, and the correlation there, float32 (N,)
    in [-1, 1].
    """
    size = expected[:, 2:] - expected[:, :2]
    grown = np.concatenate([expected[:, :2] - size / 2, expected[:, 2:] + size / 2], axis=1)
    regions = sample(luma, grown, REGION_PX)
    shift = np.zeros((len(expected), 2), np.float32)
    confidence = np.zeros(len(expected), np.float32)
    for i, (region, template) in enumerate(zip(regions, templates, strict=True)):
        response = cv2.matchTemplate(region, template, cv2.TM_CCOEFF_NORMED)
        lowest, peak, _, (column, row) = cv2.minMaxLoc(response)
        shift[i] = column + _vertex(response[row], column), row + _vertex(response[:, column], row)
        confidence[i] = peak if peak > lowest else 0.0  # a flat template fits everywhere and says nothing
    return np.asarray((shift - _CENTRE) * size / TEMPLATE_PX, np.float32), confidence


def _vertex(response: NDArray[np.float32], peak: int) -> float:
    """Where between its neighbours the maximum lies, in [-0.5, 0.5] cells."""
    if not 0 < peak < len(response) - 1:
        return 0.0
    left, middle, right = (float(v) for v in response[peak - 1 : peak + 2])
    bend = left - 2 * middle + right
    return 0.5 * (left - right) / bend if bend < 0 else 0.0
