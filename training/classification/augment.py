"""Random geometry for training images: one affine warp per image, edges repeated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferserve.errors import ConfigError


@dataclass(frozen=True)
class Augmentation:
    """Ranges of the random warps; all zero leaves images unchanged."""

    flip_horizontal: bool = False
    flip_vertical: bool = False
    rotation: float = 0.0
    """Degrees to either side."""
    shift: float = 0.0
    """Share of the side, in each direction."""
    zoom: float = 0.0
    """Scale from 1 - zoom to 1 + zoom."""

    def __post_init__(self) -> None:
        for name, top in (("rotation", 180.0), ("shift", 1.0), ("zoom", 0.9)):
            value = getattr(self, name)
            if not 0 <= value <= top:
                raise ConfigError(f"augmentation.{name} must be from 0 to {top:g}, got {value}")

    def __bool__(self) -> bool:
        return self != Augmentation()

    def apply(self, images: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        """Warp a batch (N, H, W, C) float32, each image differently; returns a new array."""
        import cv2

        out = np.empty_like(images)
        height, width = images.shape[1:3]
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        for source, target, matrix in zip(images, out, self._matrices(len(images), height, width, rng), strict=True):
            warped = cv2.warpAffine(source, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
            target[...] = warped.reshape(target.shape)
        return out

    def _matrices(self, count: int, height: int, width: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """(N, 2, 3): maps from output to source pixels, rotating about the centre."""
        angle = np.deg2rad(rng.uniform(-self.rotation, self.rotation, count))
        scale = 1.0 / rng.uniform(1 - self.zoom, 1 + self.zoom, count)
        shift = rng.uniform(-self.shift, self.shift, (count, 2)) * (width, height)
        mirror_x = np.where(self.flip_horizontal & (rng.random(count) < 0.5), -1.0, 1.0)
        mirror_y = np.where(self.flip_vertical & (rng.random(count) < 0.5), -1.0, 1.0)
        cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
        matrix = np.empty((count, 2, 3))
        matrix[:, 0, 0], matrix[:, 0, 1] = cos * mirror_x, -sin * mirror_y
        matrix[:, 1, 0], matrix[:, 1, 1] = sin * mirror_x, cos * mirror_y
        centre = np.array([(width - 1) / 2, (height - 1) / 2])
        matrix[:, :, 2] = centre - matrix[:, :, :2] @ centre + shift
        return matrix
