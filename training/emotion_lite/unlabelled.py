"""Faces without labels: cropped from photographs as in serving, and labelled by teachers alone.

A student that also learns a teacher's answers to unlabelled faces is not limited to labelled pictures (Xie et al. 2020,
arXiv:1911.04252). Here they bring the crops of our own detector into training.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ferserve.detection.factory import open_detector
from ferserve.vision.preprocess import preprocess_into
from training.data.photographs import photograph_paths, read_luma
from training.emotion_lite.release import INPUT
from training.errors import TrainingError
from training.models.emotion_stages import IMAGE_SIZE

Floats = NDArray[np.float32]

CROP = replace(INPUT, dtype="uint8", scale=1.0, mean=(0.0,), std=(1.0,))
"""The served crop as bytes, which augmentation takes."""
SIDE_PX = 320


def cut_faces(folder: Path, at_least: float = 32.0, min_score: float = 0.6) -> NDArray[np.uint8]:
    """(N, 48, 48) luma: faces of at least ``at_least`` px that face-lite finds in the photographs below ``folder``.

    Raises :class:`TrainingError` if there is no face.
    """
    detector = open_detector("face-lite")()
    assert detector
    crops = []
    for path in photograph_paths(folder):
        luma = read_luma(path)
        boxes = detector.detect(luma, side_px=SIDE_PX, min_score=min_score).xyxy
        boxes = boxes[(boxes[:, 2:] - boxes[:, :2]).max(axis=1) >= at_least]
        out = np.empty((len(boxes), *CROP.row_shape), np.uint8)
        preprocess_into(luma, "luma", boxes, CROP, out)
        crops.append(out.reshape(-1, IMAGE_SIZE, IMAGE_SIZE))
    found = np.concatenate(crops) if crops else np.empty((0, IMAGE_SIZE, IMAGE_SIZE), np.uint8)
    if not len(found):
        raise TrainingError(f"faces must name a folder of photographs with faces, got {folder}: none was found there")
    return found


def add_faces(images: NDArray[np.uint8], targets: Floats, faces: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], Floats]:
    """Labelled ``images`` with ``targets`` (N, 17), and ``faces`` behind them with zeros as targets."""
    unknown = np.zeros((len(faces), targets.shape[1]), np.float32)
    return np.concatenate([images, faces]), np.concatenate([targets, unknown])
