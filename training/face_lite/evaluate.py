"""Measures a detector against faces that a teacher or a person marked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ferserve.detection.factory import open_face_lite
from ferserve.types import Detections
from ferserve.vision.geometry import iou_matrix
from training.face_lite.faces import Faces
from training.face_lite.photographs import Photograph

Image = NDArray[np.uint8]
SAME_IOU = 0.5
"""Overlap from which a detection counts as finding a face."""


@dataclass(frozen=True)
class Matches:
    """Detections and true faces of one image, matched.

    ``face_of`` int (N,): the face that each detection found, -1 for no face, -2 for an ignored one; ``detection_of``
    int (M,): the detection that found each face, -1 for no detection. ``truth`` holds no ignored faces.
    """

    found: Detections
    truth: Faces
    face_of: NDArray[np.intp]
    detection_of: NDArray[np.intp]


def match_faces(found: Detections, truth: Faces, same: float = SAME_IOU) -> Matches:
    """Match detections, best first, each with the unmatched face that it overlaps most."""
    order = np.argsort(-found.score, kind="stable")
    found = found.select(order)
    real, unclear = truth.select(~truth.ignore), truth.select(truth.ignore)
    overlap = iou_matrix(found.xyxy, real.xyxy)
    face_of = np.full(len(found), -1, np.intp)
    detection_of = np.full(len(real), -1, np.intp)
    for row in range(len(found)):
        free = np.where(detection_of < 0, overlap[row], 0)
        best = int(free.argmax()) if len(free) else -1
        if best >= 0 and free[best] >= same:
            face_of[row], detection_of[best] = best, row
        elif _touches(found.xyxy[row], unclear.xyxy):
            face_of[row] = -2
    return Matches(found, real, face_of, detection_of)


def _touches(box: NDArray[np.float32], unclear: NDArray[np.float32]) -> bool:
    """Whether most of a box, or of an unclear face, is shared: unclear faces have unclear edges."""
    if not len(unclear):
        return False
    size = np.minimum(box[2:], unclear[:, 2:]) - np.maximum(box[:2], unclear[:, :2])
    shared = np.prod(np.maximum(size, 0), axis=1)
    area = np.prod(unclear[:, 2:] - unclear[:, :2], axis=1)
    return bool((shared >= 0.4 * np.minimum(area, np.prod(box[2:] - box[:2]))).any())


@dataclass
class Report:
    """Figures over many images."""

    judged: list[Matches] = field(default_factory=list)

    def recall(self, low: float = 0, high: float = np.inf, min_score: float = 0.5) -> tuple[float, int]:
        """Part of the faces with a side from ``low`` to ``high`` px that were found, and their number."""
        hits = total = 0
        for image in self.judged:
            sized = (image.truth.side >= low) & (image.truth.side < high)
            known = image.detection_of >= 0
            sure = np.zeros(len(known), bool)
            sure[known] = image.found.score[image.detection_of[known]] >= min_score
            hits, total = hits + int((sure & sized).sum()), total + int(sized.sum())
        return hits / max(total, 1), total

    def precision(self, low: float = 0, min_score: float = 0.5) -> tuple[float, int]:
        """Part of the detections with a side from ``low`` px that are faces, and their number."""
        right = total = 0
        for image in self.judged:
            size = image.found.xyxy[:, 2:] - image.found.xyxy[:, :2]
            counted = (image.found.score >= min_score) & (np.sqrt(np.prod(size, axis=1)) >= low) & (image.face_of != -2)
            right, total = right + int((image.face_of[counted] >= 0).sum()), total + int(counted.sum())
        return right / max(total, 1), total

    def average_precision(self, low: float = 0) -> float:
        """Area under precision over recall for faces from ``low`` px, as WIDER FACE counts (IoU 0.5, all points)."""
        scores, hits, total = [], [], 0
        for image in self.judged:
            big = image.truth.side >= low
            total += int(big.sum())
            found_big = np.isin(image.face_of, np.flatnonzero(big))
            counts = found_big | (image.face_of == -1)
            scores.append(image.found.score[counts])
            hits.append(found_big[counts])
        order = np.argsort(-np.concatenate(scores), kind="stable")
        right = np.cumsum(np.concatenate(hits)[order])
        precision = right / np.arange(1, len(right) + 1)
        best = np.maximum.accumulate(precision[::-1])[::-1]
        return float(best[np.concatenate(hits)[order]].sum() / max(total, 1))

    def landmark_error(self, low: float = 0, min_score: float = 0.5) -> float:
        """Median over found faces of the landmarks' mean distance over the distance of the eyes."""
        errors = []
        for image in self.judged:
            for face, row in enumerate(image.detection_of):
                points = image.truth.landmarks[face]
                if row < 0 or image.found.score[row] < min_score or image.truth.side[face] < low:
                    continue
                if image.found.landmarks is not None and np.isfinite(points).all():
                    eyes = np.hypot(*(points[1] - points[0]))
                    off = np.linalg.norm(image.found.landmarks[row] - points, axis=1).mean()
                    errors.append(off / max(float(eyes), 1e-6))
        return float(np.median(errors)) if errors else float("nan")


def shrink(image: Image, faces: Faces, side_px: int) -> tuple[Image, Faces]:
    """Image and faces shrunk to a longest side of ``side_px``; smaller images stay as they are."""
    scale = side_px / max(image.shape[:2])
    if scale >= 1:
        return image, faces
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    ratio = np.array([size[0] / image.shape[1], size[1] / image.shape[0]], np.float32)
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    xyxy = faces.xyxy * np.concatenate([ratio, ratio])
    return small, Faces(xyxy, faces.landmarks * ratio, faces.score, faces.ignore)


def ignore_unsure(faces: Faces, sure: float, low: float = 0) -> Faces:
    """``faces`` with those of a score under ``sure`` or a side under ``low`` px marked ignored."""
    return Faces(faces.xyxy, faces.landmarks, faces.score, faces.ignore | (faces.score < sure) | (faces.side < low))


def evaluate_detector(
    detect: Callable[[Image], Detections], pictures: Iterable[tuple[Image, Faces]], same: float = SAME_IOU
) -> Report:
    """Run ``detect`` on pictures and match its detections with their faces."""
    return Report([match_faces(detect(image), faces, same) for image, faces in pictures])


TEACHER_MIN_SCORE = 0.8
"""Faces with a lower score of the teacher are ignored."""


def at_side(photographs: Iterable[Photograph], side_px: int) -> list[tuple[Image, Faces]]:
    """The photographs as a detector at ``side_px`` sees them, with their faces."""
    shrunk = (shrink(photograph.luma, photograph.faces, side_px) for photograph in photographs)
    return [(image, ignore_unsure(faces, TEACHER_MIN_SCORE, 8)) for image, faces in shrunk]


def evaluate_weights(weights: Path, kept: Sequence[Photograph], side_px: int = 320) -> Report:
    """Evaluate one of our detectors on validation photographs, down to scores of 0.02."""
    detector = open_face_lite(weights)()
    return evaluate_detector(
        lambda image: detector.detect(image, side_px=side_px, min_score=0.02), at_side(kept, side_px)
    )


def operating_point(report: Report, precision: float = 0.9875, low: float = 24) -> float:
    """Lowest score, at most 0.9, at which detections with a side from ``low`` px reach ``precision``."""
    scores = np.arange(0.2, 0.91, 0.01)
    enough = [report.precision(low, score)[0] >= precision for score in scores]
    return float(scores[int(np.argmax(enough))] if any(enough) else scores[-1])


def figures(report: Report, min_score: float = 0.5) -> dict[str, float]:
    """Figures for a detector's spec."""
    return {
        "validation/side_320/recall_24px": round(report.recall(24, np.inf, min_score)[0], 4),
        "validation/side_320/recall_12px_24px": round(report.recall(12, 24, min_score)[0], 4),
        "validation/side_320/precision_24px": round(report.precision(24, min_score)[0], 4),
        "validation/side_320/average_precision_12px": round(report.average_precision(12), 4),
    }
