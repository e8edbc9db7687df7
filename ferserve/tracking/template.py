"""Template following: where a face went since the last detection pass.

A small grey template, cut out at the last pass, is searched for around the face's expected box. The score is the
normalised correlation coefficient (Lewis 1995, "Fast Normalized Cross-Correlation"), which is invariant to brightness
and contrast. A parabola through the peak's neighbours refines the shift below one cell.
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
"""(luma (H, W), boxes xyxy (N, 4), side) to crops uint8 (N, side, side); each box is stretched to a square."""

TEMPLATE_PX = 24
REGION_PX = 2 * TEMPLATE_PX
_CENTRE = (REGION_PX - TEMPLATE_PX) // 2


def cut_templates(luma: Pixels, xyxy: Boxes, sample: Sampler) -> Pixels:
    """Templates uint8 (N, 24, 24) of the faces at ``xyxy`` (N, 4)."""
    return sample(luma, xyxy, TEMPLATE_PX)


def match_templates(
    luma: Pixels, expected: Boxes, templates: Sequence[Pixels], sample: Sampler
) -> tuple[list[tuple[float, float]], list[float]]:
    """Search each template within half a face around its ``expected`` box, float32 (N, 4).

    Returns per face the shift from that box, (x, y) in px of the frame, and the correlation there, in [-1, 1].
    """
    size = expected[:, 2:] - expected[:, :2]
    grown = (expected + np.concatenate([-size, size], axis=1) / 2).astype(np.float32)
    regions = sample(luma, grown, REGION_PX)
    shifts, correlations = [], []
    for region, template, (width, height) in zip(regions, templates, size.tolist(), strict=True):
        response = cv2.matchTemplate(region, template, cv2.TM_CCOEFF_NORMED)
        row, column = divmod(int(response.argmax()), response.shape[1])  # cv2.minMaxLoc would release the GIL
        peak = float(response[row, column])
        dx = column + _parabola_peak(response[row], column) - _CENTRE
        dy = row + _parabola_peak(response[:, column], row) - _CENTRE
        shifts.append((dx * width / TEMPLATE_PX, dy * height / TEMPLATE_PX))
        correlations.append(peak if peak > response.min() else 0.0)  # a flat template matches everywhere
    return shifts, correlations


def _parabola_peak(response: NDArray[np.float32], peak: int) -> float:
    """Offset of the maximum from the cell ``peak``, in [-0.5, 0.5] cells."""
    if not 0 < peak < len(response) - 1:
        return 0.0
    left, middle, right = response[peak - 1 : peak + 2].tolist()
    curvature = left - 2 * middle + right
    return 0.5 * (left - right) / curvature if curvature < 0 else 0.0
