"""Finding faces in a frame."""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from ferserve.types import Detections


class FaceDetector(Protocol):
    """Finds faces in one image. Each worker thread owns one, so implementations may keep buffers."""

    @property
    def name(self) -> str:
        """The name that chooses this detector in the configuration."""

    @property
    def wants_color(self) -> bool:
        """True where :meth:`detect` takes BGR (H, W, 3) and not luma (H, W)."""

    def detect(self, image: NDArray[np.uint8], *, side_px: int, min_score: float) -> Detections:
        """Faces in ``image``, uint8, in its own pixels, best score first.

        The image is looked at with a longest side of ``side_px``; 0 means full resolution.
        """


class HaarDetector:
    """OpenCV's frontal-face cascade (Viola & Jones 2001), a stand-in that needs no weights of its own.

    Its score is a squashed sum of stage weights, good for ranking only.
    """

    name = "haar"
    wants_color = False

    def __init__(self) -> None:
        path = cv2.data.haarcascades + "haarcascade_frontalface_default.xml"  # type: ignore[attr-defined]
        self._cascade = cv2.CascadeClassifier(path)

    def detect(self, image: NDArray[np.uint8], *, side_px: int, min_score: float) -> Detections:
        """See :class:`FaceDetector`."""
        height, width = image.shape
        scale = min(1.0, side_px / max(height, width)) if side_px else 1.0
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        if min(size) < 24:  # smaller than the cascade's own window
            return Detections.empty()
        small = cv2.resize(np.ascontiguousarray(image), size, interpolation=cv2.INTER_AREA)
        boxes, _, weights = self._cascade.detectMultiScale3(small, 1.1, 5, minSize=(24, 24), outputRejectLevels=True)
        if len(boxes) == 0:
            return Detections.empty()
        score = (1 / (1 + np.exp(-np.asarray(weights, np.float32).reshape(-1) / 2))).astype(np.float32)
        xywh = np.asarray(boxes, np.float32)
        ratio = np.array([width / size[0], height / size[1]] * 2, np.float32)
        xyxy = np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1) * ratio
        order = np.argsort(-score, kind="stable")
        return Detections(xyxy, score).select(order[score[order] >= min_score])
