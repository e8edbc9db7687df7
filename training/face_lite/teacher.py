"""Labels from YuNet for photographs that have none, and landmarks for those that have boxes only.

One pass of the teacher misses small faces, doubles large ones and jitters by a few per cent. Several passes at
different scales and mirrored, fused by the mean, miss less and jitter less.

YuNet: Wu, Peng, Yu, "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence Research 20, 2023. Fusion:
Solovyev et al., "Weighted boxes fusion", arXiv:1910.13302, without its change of the score.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ferserve.detection.yunet import open_yunet
from ferserve.vision.geometry import iou_matrix
from training.face_lite.faces import Faces

SCALES = (1.0, 1.6, 2.4)
"""Scales of the teacher's passes; it was made for 640 px, most photographs have 250."""
MIRROR = (1, 0, 2, 4, 3)
"""Landmark order after a mirror."""


class Teacher:
    """YuNet over several views of an image. Not for use from two threads at once."""

    def __init__(self, weights: Path, scales: tuple[float, ...] = SCALES, min_score: float = 0.4) -> None:
        """Raises :class:`~ferserve.errors.ModelSpecError` if ``weights`` is not YuNet's ONNX file."""
        self._net = open_yunet(str(weights), min_score, 500)
        self._scales = scales

    def one_pass(self, bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Rows float32 (N, 15): box as xyxy, five landmarks, score."""
        self._net.setInputSize((bgr.shape[1], bgr.shape[0]))
        found = self._net.detect(bgr)[1]
        if found is None:
            return np.zeros((0, 15), np.float32)
        rows = np.asarray(found, np.float32)
        rows[:, 2:4] += rows[:, :2]
        return rows

    def label(self, image: NDArray[np.uint8]) -> Faces:
        """Faces of ``image``, luma (H, W) or BGR (H, W, 3); those that few views agree on are marked ignored."""
        bgr = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if image.ndim == 2 else image
        views = []
        for scale in self._scales:
            scaled = bgr if scale == 1 else cv2.resize(bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
            rows = self.one_pass(scaled)
            mirrored = unmirror(self.one_pass(cv2.flip(scaled, 1)), scaled.shape[1])
            for part in (rows, mirrored):
                part[:, :14] /= scale
                views.append(part)
        return fuse(np.concatenate(views))


def unmirror(rows: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """Rows of a mirrored image, put back."""
    out = rows.copy()
    out[:, 0], out[:, 2] = width - rows[:, 2], width - rows[:, 0]
    points = rows[:, 4:14].reshape(-1, 5, 2)[:, MIRROR]
    points[..., 0] = width - points[..., 0]
    out[:, 4:14] = points.reshape(-1, 10)
    return out


def fuse(rows: NDArray[np.float32], same: float = 0.45, sure: float = 0.6) -> Faces:
    """Mean of the rows that overlap by ``same`` with the best of them; a face needs two views and score ``sure``."""
    rest = rows[np.argsort(-rows[:, 14], kind="stable")]
    fused = []
    while len(rest):
        overlap = iou_matrix(rest[:1, :4], rest[:, :4])[0] >= same
        overlap[0] = True
        group, rest = rest[overlap], rest[~overlap]
        weight = group[:, 14:15] ** 2
        mean = (group[:, :14] * weight).sum(axis=0) / weight.sum()
        ignore = group[0, 14] < sure or len(group) < 2
        fused.append([*mean, group[0, 14], float(ignore)])
    return Faces.from_rows(np.asarray(fused, np.float32).reshape(-1, 16))


def merge_drawn(drawn: NDArray[np.float32], taught: Faces, same: float = 0.35) -> Faces:
    """Boxes drawn by hand (N, 4) joined with the teacher's faces.

    If both know a face, the teacher's geometry counts, so that all boxes follow one convention, and the score is 1.
    A drawn face that the teacher misses keeps its box and has no landmarks.
    """
    if not len(drawn):
        return taught
    overlap = iou_matrix(drawn, taught.xyxy)
    rows = taught.to_rows()
    missed = []
    for box, row in zip(drawn, overlap, strict=True):
        best = int(row.argmax()) if len(row) else -1
        if best >= 0 and row[best] >= same:
            rows[best, 14:] = (1, 0)
        else:
            missed.append([*box, *[np.nan] * 10, 1.0, 0.0])
    return Faces.from_rows(np.concatenate([rows, np.asarray(missed, np.float32).reshape(-1, 16)]))


def seen_landmarks(teacher: Teacher, luma: NDArray[np.uint8], faces: Faces, share: float, same: float = 0.6) -> Faces:
    """``faces`` with landmarks moved by ``share`` of the way to the teacher's, from one pass over ``luma``.

    A pass has a random error and one that depends on the size of the face: the first averages out over many pictures,
    the second is learnt. Faces that the pass misses, and unknown landmarks, stay.
    """
    rows = teacher.one_pass(np.asarray(cv2.cvtColor(luma, cv2.COLOR_GRAY2BGR), np.uint8))
    if not len(rows) or not len(faces):
        return faces
    overlap = iou_matrix(faces.xyxy, rows[:, :4])
    best = overlap.argmax(axis=1)
    found = overlap[np.arange(len(faces)), best] >= same
    seen = rows[best, 4:14].reshape(-1, 5, 2)
    landmarks = np.where(found[:, None, None], faces.landmarks + share * (seen - faces.landmarks), faces.landmarks)
    return Faces(faces.xyxy, landmarks.astype(np.float32), faces.score, faces.ignore)
