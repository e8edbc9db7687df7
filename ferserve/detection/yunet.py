"""OpenCV's YuNet, in colour."""

from __future__ import annotations

import cv2
import numpy as np

from ferserve.detection.base import MAX_CANDIDATES, SAME_FACE_IOU, Image, detection_size, require_form
from ferserve.errors import ModelSpecError
from ferserve.types import Detections, PoseCalibration

_MIN_SIDE_PX = 8
"""Smaller images show no face, and from a single pixel OpenCV 4.14 sometimes makes a face with infinite sides."""


def open_yunet(weights: str, min_score: float, candidates: int) -> cv2.FaceDetectorYN:
    """OpenCV's YuNet from the ONNX file at ``weights``; raises :class:`ModelSpecError` if it is not one."""
    try:
        return cv2.FaceDetectorYN.create(weights, "", (32, 32), min_score, SAME_FACE_IOU, candidates)
    except cv2.error as error:
        raise ModelSpecError(
            f"{weights} must be YuNet's ONNX file, got {error.err}; `ferserve models pull yunet` fetches it"
        ) from None


class YuNetDetector:
    """OpenCV's YuNet, in colour; its weights are fetched on request, not bundled.

    Wu, Peng, Yu: YuNet: a tiny millisecond-level face detector. Machine Intelligence Research 20 (2023), 656-665.
    """

    name = "yunet"
    wants_color = True
    pose_calibration = PoseCalibration(yaw=1.1, pitch=1.8, roll=1.25, level=-2.4)  # as in face_lite.py
    runs_on = f"OpenCV {cv2.__version__.rpartition('.')[0]}"

    def __init__(self, weights: str) -> None:
        """``weights`` is the path of the ONNX file; see :func:`open_yunet`."""
        self._net = open_yunet(weights, 0.5, MAX_CANDIDATES)

    def detect(self, image: Image, *, side_px: int, min_score: float) -> Detections:
        """See :class:`ferserve.detection.base.FaceDetector`."""
        require_form(image, color=True)
        height, width = image.shape[:2]
        size = detection_size(height, width, side_px, multiple=1)[::-1]
        if min(size) < _MIN_SIDE_PX:
            return Detections.empty()
        small = image if size == (width, height) else cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        self._net.setInputSize(size)
        self._net.setScoreThreshold(min_score)
        rows = self._net.detect(np.ascontiguousarray(small))[1]
        if rows is None:
            return Detections.empty()
        back = np.array([width / size[0], height / size[1]], np.float32)
        order = np.argsort(-rows[:, 14], kind="stable")
        corner, extent = rows[order, :2] * back, rows[order, 2:4] * back
        xyxy = np.concatenate([corner, corner + extent], axis=1).clip(0, [width, height, width, height])
        landmarks = rows[order, 4:14].reshape(-1, 5, 2) * back
        found = Detections(xyxy.astype(np.float32), rows[order, 14].astype(np.float32), landmarks.astype(np.float32))
        return found.select((xyxy[:, 2:] - xyxy[:, :2] >= 1).all(axis=1))
