"""The bundled detector: one luma plane in, boxes, scores and five landmarks out."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from ferserve.detection.base import (
    MAX_CANDIDATES,
    SAME_FACE_IOU,
    Floats,
    Image,
    default_side_px,
    detection_size,
    require_form,
)
from ferserve.models.detector_spec import DetectorSpec
from ferserve.types import Detections, PoseCalibration
from ferserve.vision.geometry import iou_matrix
from ferserve.vision.preprocess import Letterbox, letterbox_into

VOTE_IOU = 0.6
"""Boxes that overlap the best one of a face by this much vote on its place."""
VOTE_SCORE = 0.5
"""Cells of a lower score do not move the box of a face that scores more, whatever ``min_score`` lets through."""
HINT_SCORE = 0.4
"""A large box of this score calls for a look at half the scale: parts of a face that is too close score low."""
MAX_FACE_PX = 192
"""A larger face, seen at this scale, may come back as parts; half the scale shows it whole."""
_PART_INSIDE = 0.7
"""A box that lies in a better one with more than this part of its area shows a part of that face."""
_MIN_LOOK_PX = 64
"""Least side of a look."""
_MAX_LOG_SIZE = 6.0
"""Largest logarithm of a box's side in strides: a wild number must not become an infinite box."""

Graph: TypeAlias = Callable[[NDArray[np.uint8]], Floats]
"""uint8 (1, 1, H, W) to float32 (rows, cells), see :class:`~ferserve.models.detector_spec.DetectorSpec`."""


class FaceLiteDetector:
    """A detector of our own; see :class:`ferserve.detection.base.FaceDetector`."""

    wants_color = False
    pose_calibration = PoseCalibration(yaw=1.29, pitch=4.8, roll=1.32, level=-1.9)
    """Least squares on photographs turned by up to 30 degrees (tests/quality/head_pose_error.py); decision 200."""

    def __init__(self, graph: Graph, spec: DetectorSpec, runs_on: str) -> None:
        """``graph`` may be shared with other threads."""
        self.runs_on = runs_on
        self._graph = graph
        self._spec = spec
        self._size = (0, 0)
        self._input = np.zeros((1, 1, 0, 0), np.uint8)
        self._cells = np.zeros((3, 0), np.float32)

    @property
    def name(self) -> str:
        """See :class:`ferserve.detection.base.FaceDetector`."""
        return self._spec.name

    def detect(self, image: Image, *, side_px: int, min_score: float) -> Detections:
        """See :class:`ferserve.detection.base.FaceDetector`."""
        require_form(image, color=False)
        longest = max(image.shape)
        side = min(side_px or default_side_px(image.shape[0], image.shape[1]), longest)
        least = min(min_score, HINT_SCORE)
        found = self._look(image, side, least)
        while side >= 2 * _MIN_LOOK_PX and _outgrown(found, limit := MAX_FACE_PX * longest / side):
            side //= 2
            coarse = self._look(image, side, least)
            found = merge_scales(
                found.select(_sides(found) < limit), coarse.select(_sides(coarse) >= _PART_INSIDE * limit)
            )
        return found.select(slice(int((found.score >= min_score).sum())))

    def _look(self, image: Image, side: int, min_score: float) -> Detections:
        """Faces at one scale, in pixels of the image, best first."""
        self._resize(detection_size(image.shape[0], image.shape[1], side, self._spec.multiple))
        letterbox = letterbox_into(image, self._input[0, 0])
        found = decode_cells(self._graph(self._input), self._cells, min_score)
        if not len(found):
            return found
        return to_image(merge_cells(found), letterbox, image.shape)

    def _resize(self, size: tuple[int, int]) -> None:
        """Make buffers for letterboxes of ``size``; the frames of a stream share theirs."""
        if size != self._size:
            self._size = size
            self._input = np.zeros((1, 1, *size), np.uint8)
            self._cells = cell_grid(*size, self._spec.strides)


@lru_cache(maxsize=8)
def cell_grid(height: int, width: int, strides: tuple[int, ...]) -> Floats:
    """Centre x, centre y and stride of every cell, float32 (3, cells) px, in the order of the output; read-only."""
    levels = []
    for stride in strides:
        y, x = np.mgrid[: height // stride, : width // stride]
        centres = (np.stack([x.ravel(), y.ravel()]) + 0.5) * stride
        levels.append(np.vstack([centres, np.full((1, x.size), stride)]))
    grid = np.concatenate(levels, axis=1).astype(np.float32)
    grid.flags.writeable = False
    return grid


def decode_cells(output: Floats, cells: Floats, min_score: float) -> Detections:
    """Faces of the cells whose score reaches ``min_score``, best first, in pixels of the letterbox.

    ``output`` float32 (rows, cells) as :class:`~ferserve.models.detector_spec.DetectorSpec` says, ``cells`` from
    :func:`cell_grid`. Only the best :data:`MAX_CANDIDATES` count.
    """
    logits = output[0]
    with np.errstate(divide="ignore"):
        least = np.log(np.float64(min_score)) - np.log1p(-np.float64(min_score))
    chosen = np.flatnonzero(logits >= least)
    if not len(chosen):
        return Detections.empty()
    order = np.argsort(-logits[chosen], kind="stable")[:MAX_CANDIDATES]
    chosen = chosen[order]
    rows, (x, y, stride) = output[:15, chosen], cells[:, chosen]
    half = np.exp(np.minimum(rows[3:5], _MAX_LOG_SIZE)) * (stride / 2)
    xy = np.stack([x, y])
    centre = rows[1:3] * stride + xy
    landmarks = rows[5:15].reshape(5, 2, -1) * stride + xy
    xyxy = np.concatenate([centre - half, centre + half])
    score = 1 / (1 + np.exp(-rows[0]))
    return Detections(np.ascontiguousarray(xyxy.T), score, np.ascontiguousarray(landmarks.transpose(2, 0, 1)))


def merge_cells(found: Detections, same: float = SAME_FACE_IOU, votes: float = VOTE_IOU) -> Detections:
    """One detection for each face that several cells found, best first.

    Greedy non-maximum suppression: each detection removes those of a lower score that overlap it by more than ``same``.
    A detection that stays takes the mean, weighted by score, of all that overlap it by ``votes`` and score at least
    :data:`VOTE_SCORE`: cells that see one face err independently, so their mean trembles less (box voting: Gidaris &
    Komodakis, arXiv:1505.01749, section 5.2).
    """
    xywh = np.concatenate([found.xyxy[:, :2], found.xyxy[:, 2:] - found.xyxy[:, :2]], axis=1)
    kept = np.asarray(cv2.dnn.NMSBoxes(xywh, found.score, 0.0, same), np.intp).reshape(-1)  # type: ignore[arg-type]
    best = found.select(kept)
    votes_for = (iou_matrix(best.xyxy, found.xyxy) >= votes) & (
        found.score >= np.minimum(best.score, VOTE_SCORE)[:, None]
    )
    weight = np.where(votes_for, found.score, np.float32(0))
    weight[np.arange(len(kept)), kept] = found.score[kept]
    weight /= weight.sum(axis=1, keepdims=True)
    landmarks = None if found.landmarks is None else (weight @ found.landmarks.reshape(-1, 10)).reshape(-1, 5, 2)
    return Detections(weight @ found.xyxy, best.score, landmarks)


def to_image(found: Detections, letterbox: Letterbox, shape: tuple[int, ...]) -> Detections:
    """``found`` in pixels of the image, boxes cut at its edges; boxes outside of it are dropped."""
    height, width = shape[:2]
    xyxy = letterbox.to_image(found.xyxy)
    np.clip(xyxy[:, 0::2], 0, width, out=xyxy[:, 0::2])
    np.clip(xyxy[:, 1::2], 0, height, out=xyxy[:, 1::2])
    landmarks = None
    if found.landmarks is not None:
        landmarks = letterbox.to_image(found.landmarks.reshape(-1, 10)).reshape(-1, 5, 2)
    size = xyxy[:, 2:] - xyxy[:, :2]
    inside = np.flatnonzero((size >= 1).all(axis=1))
    moved = Detections(xyxy, found.score, landmarks)
    return moved if len(inside) == len(moved) else moved.select(inside)


def merge_scales(fine: Detections, coarse: Detections) -> Detections:
    """One detection for each face that two looks at different scales found, best first.

    A box goes if a better one shows the same face, or if it lies in a better one: then it is a part of that face.
    """
    marks = None
    if fine.landmarks is not None and coarse.landmarks is not None:
        marks = np.concatenate([fine.landmarks, coarse.landmarks])
    elif not len(fine) or not len(coarse):
        return fine if len(fine) else coarse
    score = np.concatenate([fine.score, coarse.score])
    both = Detections(np.concatenate([fine.xyxy, coarse.xyxy]), score, marks).select(np.argsort(-score, kind="stable"))
    same = iou_matrix(both.xyxy, both.xyxy) > SAME_FACE_IOU
    corner = np.maximum(both.xyxy[:, None, :2], both.xyxy[:, :2])
    extent = np.clip(np.minimum(both.xyxy[:, None, 2:], both.xyxy[:, 2:]) - corner, 0, None)
    area = np.prod(both.xyxy[:, 2:] - both.xyxy[:, :2], axis=1)
    inside = np.prod(extent, axis=2) > _PART_INSIDE * area  # [row, column]: how much of the column lies in the row
    kept: list[int] = []
    for row in range(len(both)):
        if not (same[kept, row] | inside[kept, row]).any():
            kept.append(row)
    return both.select(np.array(kept, np.intp))


def _sides(found: Detections) -> Floats:
    longer: Floats = (found.xyxy[:, 2:] - found.xyxy[:, :2]).max(axis=1, initial=0)
    return longer


def _outgrown(found: Detections, limit: float) -> bool:
    """True if a box is at least ``limit`` px large, so that it may show a part of a larger face."""
    return bool(((_sides(found) >= limit) & (found.score >= HINT_SCORE)).any())
