"""Drawn faces, and photographs of them, small enough for a test to train on."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from training.face_lite.faces import Faces
from training.face_lite.fit import FitRound
from training.face_lite.photographs import Photograph
from training.models.face_lite import FaceLiteConfig

SMALL = FaceLiteConfig(widths=(16, 16, 16, 16, 16), blocks=(1, 0, 1))
QUICK = FitRound(epochs=2, steps=2, batch_size=2, size=64)


def draw_face(image: NDArray[np.uint8], x: float, y: float, side: float) -> NDArray[np.float32]:
    """A face of an ellipse, two eyes, a nose and a mouth; returns its row."""
    points = np.array([(0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8)]) * side + (x, y)
    centre = (int(x + side / 2), int(y + side / 2))
    cv2.ellipse(image, centre, (int(side / 2), int(side / 2)), 0, 0, 360, 200, -1)
    for px, py in points:
        cv2.circle(image, (int(px), int(py)), max(1, int(side / 12)), 40, -1)
    return np.array([x, y, x + side, y + side, *points.ravel(), 0.95, 0], np.float32)


def make_photographs(count: int = 6) -> list[Photograph]:
    rng = np.random.default_rng(0)
    photographs = []
    for i in range(count):
        luma = rng.integers(60, 120, (100, 120), dtype=np.uint8)
        rows = np.stack([draw_face(luma, 8, 10, 40), draw_face(luma, 70, 50, 25)])
        photographs.append(Photograph(f"set/{i}.png", luma, Faces.from_rows(rows)))
    return photographs
