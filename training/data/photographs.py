"""Photographs in a folder, without labels."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.errors import DataError


def photograph_paths(folder: Path) -> list[Path]:
    """Every JPEG and PNG below ``folder``, sorted."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg", ".png"})


def read_luma(path: Path) -> NDArray[np.uint8]:
    """Decode a picture file as luma uint8 (H, W). Raises :class:`DataError` if it cannot be read."""
    return _read(path, cv2.IMREAD_GRAYSCALE)


def read_bgr(path: Path) -> NDArray[np.uint8]:
    """Decode a picture file as BGR uint8 (H, W, 3). Raises :class:`DataError` if it cannot be read."""
    return _read(path, cv2.IMREAD_COLOR)


def _read(path: Path, mode: int) -> NDArray[np.uint8]:
    image = cv2.imread(str(path), mode)
    if image is None:
        raise DataError(f"{path}: photograph must be a readable picture, got something else; take it out")
    return np.asarray(image, np.uint8)
