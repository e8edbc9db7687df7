"""What faces look like, for telling people apart."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ferserve.tracking.template import TEMPLATE_PX, Boxes, Pixels, Sampler

_SEARCH_PX = TEMPLATE_PX + 8


def likeness(luma: Pixels, boxes: Boxes, portraits: Sequence[Pixels], sample: Sampler) -> NDArray[np.float64]:
    """Correlation of N faces at ``boxes`` (N, 4) with M ``portraits`` uint8 (24, 24), as (N, M) in [-1, 1].

    Best over shifts by up to a sixth of a face: detections jitter.
    """
    margin = (boxes[:, 2:] - boxes[:, :2]) * ((_SEARCH_PX / TEMPLATE_PX - 1) / 2)
    regions = sample(luma, (boxes + np.concatenate([-margin, margin], axis=1)).astype(np.float32), _SEARCH_PX)
    scores = np.zeros((len(boxes), len(portraits)))
    for row, region in enumerate(regions):
        for column, portrait in enumerate(portraits):
            response = cv2.matchTemplate(region, portrait, cv2.TM_CCOEFF_NORMED)
            scores[row, column] = response.max() if response.max() > response.min() else 0.0  # flat: matches anything
    return scores
