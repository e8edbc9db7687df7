"""Augmentation in NumPy and OpenCV: the effects of detectors, cameras and codecs on a face crop."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.models.emotion_stages import MEAN, STD


@dataclass(frozen=True)
class FaceAugmentation:
    """Ranges of the random changes; every probability is per image."""

    rotation_deg: float = 15.0
    scale: float = 0.15
    """Natural logarithm of the largest zoom in or out."""
    shift: float = 0.10
    """Largest shift as part of the image's side."""
    aspect: float = 0.08
    contrast: float = 0.3
    brightness: float = 0.2
    degrade: float = 0.25
    """Probability of a loss of detail: a smaller face blown up, blur, JPEG."""
    erase: float = 0.25
    """Probability of a grey patch (Zhong et al. 2020, arXiv:1708.04896)."""
    mixup: float = 0.2
    """Parameter of the Beta distribution (Zhang et al. 2018, arXiv:1710.09412, eq. 1); 0 turns it off."""


STRENGTHS = {
    "strong": FaceAugmentation(),
    "medium": FaceAugmentation(12, 0.12, 0.08, 0.06, contrast=0.3, brightness=0.2, degrade=0.2, erase=0.25, mixup=0.1),
    "light": FaceAugmentation(10, 0.10, 0.07, 0.05, contrast=0.25, brightness=0.15, degrade=0.15, erase=0.1, mixup=0),
}
"""Augmentations of the recipe's generations, by name."""
NO_AUGMENTATION = FaceAugmentation(0, 0, 0, 0, 0, 0, 0, 0, 0)


def normalise(images: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.float32]:
    """Luma (N, H, W), 0 to 255, to the network's (N, H, W, 1) float32."""
    scaled = images.astype(np.float32) * np.float32(1 / (255 * STD)) - np.float32(MEAN / STD)
    return scaled[..., None]


def augment_batch(
    images: NDArray[np.uint8], targets: NDArray[np.float32], options: FaceAugmentation, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Change (N, H, W) luma and mix the rows; returns normalised (N, H, W, 1) images and (N, K) targets."""
    warped = np.empty_like(images)
    matrices = _affine_matrices(len(images), images.shape[1], options, rng)
    degraded = rng.random(len(images)) < options.degrade
    for i, image in enumerate(images):
        cv2.warpAffine(
            image, matrices[i], image.shape[::-1], dst=warped[i], flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )  # fmt: skip
        if degraded[i]:
            warped[i] = _lose_detail(warped[i], rng)
    pixels = normalise(warped)
    shape = (len(images), 1, 1, 1)
    pixels *= np.exp(rng.uniform(-options.contrast, options.contrast, shape)).astype(np.float32)
    pixels += rng.uniform(-options.brightness, options.brightness, shape).astype(np.float32) / np.float32(STD)
    _erase(pixels, options.erase, rng)
    return _mix(pixels, targets, options.mixup, rng)


def _affine_matrices(count: int, size: int, options: FaceAugmentation, rng: np.random.Generator) -> NDArray[np.float64]:
    """(count, 2, 3) maps about the image's centre: flip, rotate, zoom, stretch, shift."""
    angle = np.deg2rad(rng.uniform(-options.rotation_deg, options.rotation_deg, count))
    zoom = np.exp(rng.uniform(-options.scale, options.scale, count))
    stretch = np.exp(rng.uniform(-options.aspect, options.aspect, count))
    flip = np.where(rng.random(count) < 0.5, -1.0, 1.0)
    shift = rng.uniform(-options.shift, options.shift, (count, 2)) * size
    centre = (size - 1) / 2
    linear = np.empty((count, 2, 2))
    linear[:, 0, 0] = np.cos(angle) * zoom * stretch * flip
    linear[:, 0, 1] = -np.sin(angle) * zoom / stretch
    linear[:, 1, 0] = np.sin(angle) * zoom * stretch * flip
    linear[:, 1, 1] = np.cos(angle) * zoom / stretch
    offset = centre - linear @ np.array([centre, centre]) + shift
    return np.concatenate([linear, offset[:, :, None]], axis=2)


def _lose_detail(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """One image as a small face, an unfocused lens or a codec would give it."""
    kind = int(rng.integers(3))
    if kind == 0:
        small = int(rng.integers(20, image.shape[0]))
        shrunk = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.resize(shrunk, image.shape[::-1], interpolation=cv2.INTER_LINEAR), np.uint8)
    if kind == 1:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.4, 1.3))), np.uint8)
    _, coded = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 80))))
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), np.uint8)


def _erase(pixels: NDArray[np.float32], probability: float, rng: np.random.Generator) -> None:
    """Cover a random rectangle of some images with one grey, in place."""
    size = pixels.shape[1]
    for i in np.flatnonzero(rng.random(len(pixels)) < probability):
        height, width = rng.integers(size // 8, size // 2, 2)
        top, left = rng.integers(0, size - height), rng.integers(0, size - width)
        pixels[i, top : top + height, left : left + width] = rng.uniform(-1.5, 1.5)


def _mix(
    pixels: NDArray[np.float32], targets: NDArray[np.float32], alpha: float, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Blend every image and target with the next row's; a share near 1 leaves it as it was."""
    if not alpha:
        return pixels, targets
    share = rng.beta(alpha, alpha, len(pixels)).astype(np.float32)
    share = np.maximum(share, 1 - share)
    mixed = pixels * share[:, None, None, None] + np.roll(pixels, 1, axis=0) * (1 - share)[:, None, None, None]
    return mixed, targets * share[:, None] + np.roll(targets, 1, axis=0) * (1 - share)[:, None]
