"""Pictures without a face: noise, stripes, boards, gradients, shapes and writing."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Rng = np.random.Generator
Image = NDArray[np.uint8]


def noise(rng: Rng, height: int, width: int) -> Image:
    """Random grey values in grains of 1 to 16 px."""
    grain = int(rng.integers(1, 17))
    small = rng.integers(0, 256, (max(1, height // grain), max(1, width // grain)), dtype=np.uint8)
    how = cv2.INTER_NEAREST if rng.random() < 0.5 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(small, (width, height), interpolation=how), np.uint8)


def stripes(rng: Rng, height: int, width: int) -> Image:
    """A sine wave across the picture, or two that cross."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    wave = np.zeros((height, width), np.float32)
    for _ in range(int(rng.integers(1, 3))):
        turn, period = rng.uniform(0, np.pi), rng.uniform(3, 60)
        wave += np.sin((x * np.cos(turn) + y * np.sin(turn)) * np.float32(2 * np.pi / period))
    return np.asarray((128 + wave * rng.uniform(10, 63)).clip(0, 255), np.uint8)


def board(rng: Rng, height: int, width: int) -> Image:
    """A chessboard of two shades."""
    step = int(rng.integers(2, 40))
    y, x = np.mgrid[:height, :width] // step
    low, high = rng.integers(0, 256, 2)
    return np.asarray(np.where((x + y) % 2 == 0, low, high), np.uint8)


def gradient(rng: Rng, height: int, width: int) -> Image:
    """A gradient between two shades; flat if both are the same."""
    low, high = rng.uniform(0, 255, 2)
    if rng.random() < 0.3:
        high = low
    turn = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    way = x / width * np.cos(turn) + y / height * np.sin(turn)
    return np.asarray((low + (high - low) * (way - way.min())).clip(0, 255), np.uint8)


def shapes(rng: Rng, height: int, width: int) -> Image:
    """Ellipses, rectangles and writing on a plain ground, some of it in the places of eyes and mouth."""
    image = np.full((height, width), int(rng.integers(0, 256)), np.uint8)
    for _ in range(int(rng.integers(2, 12))):
        centre = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        axes = (int(rng.integers(1, max(2, width // 3))), int(rng.integers(1, max(2, height // 3))))
        shade, kind = int(rng.integers(0, 256)), rng.random()
        if kind < 0.5:
            cv2.ellipse(image, centre, axes, float(rng.uniform(0, 180)), 0, 360, shade, -1)
        elif kind < 0.75:
            corner = (centre[0] + axes[0], centre[1] + axes[1])
            cv2.rectangle(image, centre, corner, shade, -1)
        else:
            letters = "".join(chr(int(code)) for code in rng.integers(48, 123, 6))
            cv2.putText(image, letters, centre, cv2.FONT_HERSHEY_SIMPLEX, float(rng.uniform(0.3, 2)), shade, 2)
    return image


def random_texture(rng: Rng, height: int, width: int) -> Image:
    """One of the pictures above, uint8 (height, width)."""
    makers = (noise, stripes, board, gradient, shapes)
    return makers[int(rng.integers(len(makers)))](rng, height, width)
