"""A second look at the doubtful faces of a single picture, which has no next frame that could confirm them.

Each of them is cut out and shown to the detector alone, at a size that it knows well (docs/decisions/0052).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ferserve.detection.base import FaceDetector, Floats, Image
from ferserve.labels import MIN_FACE_SCORE
from ferserve.models.spec import Color, InputSpec
from ferserve.types import Detections
from ferserve.vision.geometry import iou_matrix
from ferserve.vision.preprocess import preprocess_into

TILE_PX = 128
"""Side of the square that shows a face alone, twice as wide as the face."""
CONFIRMING_SCORE = 0.4
"""Least score of the second look that confirms a face."""
_SAME_PLACE_IOU = 0.35
"""Least overlap of the two looks' boxes."""
_MARGIN = 0.5
"""Surroundings on every side of a face, as a share of its longer side."""


def confirm(detector: FaceDetector, image: Image, found: Detections, min_score: float) -> Detections:
    """``found`` in ``image`` without the faces that ``detector`` doubts twice, best score first.

    A box that scores less than :data:`~ferserve.labels.MIN_FACE_SCORE` keeps its score if the second look finds it with
    :data:`CONFIRMING_SCORE`; otherwise it takes that look's score if this is lower, 0 if there is nothing. Boxes under
    ``min_score`` are dropped last: it filters, and changes no other face.
    """
    doubtful = np.flatnonzero(found.score < MIN_FACE_SCORE)
    if not len(doubtful):
        return found
    seen = second_scores(detector, image, found.xyxy[doubtful], min(min_score, CONFIRMING_SCORE))
    score = found.score.copy()
    score[doubtful] = np.where(seen >= CONFIRMING_SCORE, score[doubtful], np.minimum(score[doubtful], seen))
    order = np.argsort(-score, kind="stable")
    return Detections(found.xyxy, score, found.landmarks).select(order[score[order] >= min_score])


def second_scores(
    detector: FaceDetector, image: Image, xyxy: Floats, least: float, tile_px: int = TILE_PX
) -> NDArray[np.float32]:
    """What ``detector`` scores each face at ``xyxy`` (N, 4) in ``image`` if it sees it alone, float32 (N,).

    Scores under ``least`` count as 0. ``tile_px`` is the side of what it sees.
    """
    spec = _tile_spec(detector.wants_color, tile_px)
    tiles = np.empty((len(xyxy), *spec.row_shape), np.uint8)
    preprocess_into(image, spec.color, xyxy, spec, tiles)
    sides = xyxy[:, 2:] - xyxy[:, :2]
    half = sides * (tile_px / (2 + 4 * _MARGIN) / sides.max(axis=1, keepdims=True))
    expected = np.concatenate([tile_px / 2 - half, tile_px / 2 + half], axis=1)
    scores = np.zeros(len(xyxy), np.float32)
    for row, tile in enumerate(tiles):
        again = detector.detect(tile if detector.wants_color else tile[..., 0], side_px=tile_px, min_score=least)
        same = iou_matrix(again.xyxy, expected[row : row + 1])[:, 0] >= _SAME_PLACE_IOU
        scores[row] = again.score[same].max(initial=0)
    return scores


@lru_cache
def _tile_spec(wants_color: bool, tile_px: int) -> InputSpec:
    color: Color = "bgr" if wants_color else "luma"
    zeros, ones = ((0.0,) * 3, (1.0,) * 3) if wants_color else ((0.0,), (1.0,))
    return InputSpec(tile_px, tile_px, color, "NHWC", "uint8", 1.0, zeros, ones, margin=_MARGIN)
