"""Following a face from one frame to the next without the detector.

A small grey template of the face, taken when the detector last saw it, is searched for around the place where the face
should be. The measure is the normalised correlation coefficient (Lewis 1995, "Fast Normalized Cross-Correlation"),
which light and contrast do not change; the peak is refined between cells by a parabola.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    luma: Pixels, expected: Boxes, templates: Sequence[Pixels], sample: Sampler
) -> tuple[list[tuple[float, float]], list[float]]:
    """Search each template within half a face around its ``expected`` box, float32 (N, 4).

    Returns for each face how far it is from there, (x, y) in px of the frame, and the correlation there, in [-1, 1].
    """
    size = expected[:, 2:] - expected[:, :2]
    grown = (expected + np.concatenate([-size, size], axis=1) / 2).astype(np.float32)
    regions = sample(luma, grown, REGION_PX)
    shifts, confidences = [], []
    for region, template, (width, height) in zip(regions, templates, size.tolist(), strict=True):
        response = cv2.matchTemplate(region, template, cv2.TM_CCOEFF_NORMED)
        row, column = divmod(int(response.argmax()), response.shape[1])  # cv2.minMaxLoc would let the GIL go
        peak = float(response[row, column])
        dx = column + _vertex(response[row], column) - _CENTRE
        dy = row + _vertex(response[:, column], row) - _CENTRE
        shifts.append((dx * width / TEMPLATE_PX, dy * height / TEMPLATE_PX))
        confidences.append(peak if peak > response.min() else 0.0)  # a flat template fits everywhere and says nothing
    return shifts, confidences


def _vertex(response: NDArray[np.float32], peak: int) -> float:
    """Where between its neighbours the maximum lies, in [-0.5, 0.5] cells."""
    if not 0 < peak < len(response) - 1:
        return 0.0
    left, middle, right = response[peak - 1 : peak + 2].tolist()
    bend = left - 2 * middle + right
    return 0.5 * (left - right) / bend if bend < 0 else 0.0
