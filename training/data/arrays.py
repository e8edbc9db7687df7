"""Checked arrays of a set of faces in one npz file: images, labels, votes."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.errors import DataError

VOTES = 10
"""Choices of FER+'s taggers: the eight emotions, unknown, not a face."""


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of ``path`` by name; raises :class:`DataError` unless it is a whole npz file of plain arrays."""
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, TypeError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        # NumPy takes any other file for an array or a pickle, and says so in several lines.
        said = "something else" if isinstance(error, ValueError | TypeError) else error
        raise DataError(f"{path}: data must be a whole npz file of plain arrays, got {said}") from None


def luma_images(
    arrays: Mapping[str, NDArray[Any]], path: Path, size: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    """The array ``images``, uint8 (N, H, W) with at least one image and pixel, of ``size`` (H, W) if given."""
    images = _array(arrays, "images", path)
    if images.ndim != 3 or images.dtype != np.uint8 or 0 in images.shape:
        got = f"{images.dtype} {images.shape}"
        raise DataError(f"{path}: images must be uint8 (N, H, W) with at least one image, got {got}")
    if size and images.shape[1:] != size:
        raise DataError(f"{path}: images must be {size[0]}x{size[1]} px, got {images.shape[1]}x{images.shape[2]}")
    return images


def whole_numbers(
    arrays: Mapping[str, NDArray[Any]], name: str, shape: tuple[int, ...], top: int, path: Path
) -> NDArray[np.int64]:
    """The array ``name`` as int64 of ``shape``, one row per image; whole floats are accepted."""
    values = _array(arrays, name, path)
    if values.shape[:1] != shape[:1]:
        rows = f"{shape[0]} rows, one for each image"
        raise DataError(f"{path}: {name} must have {rows}, got {len(values) if values.ndim else 'a single number'}")
    if values.shape != shape or values.dtype.kind not in "biuf":
        raise DataError(f"{path}: {name} must be numbers of shape {shape}, got {values.dtype} {values.shape}")
    wrong = np.argwhere(~((values >= 0) & (values <= top) & (values == np.floor(values))))
    if len(wrong):
        got = f"{values[tuple(wrong[0])]} in row {wrong[0][0]}"
        raise DataError(f"{path}: {name} must be whole numbers from 0 to {top}, got {got}")
    return values.astype(np.int64)


def _array(arrays: Mapping[str, NDArray[Any]], name: str, path: Path) -> NDArray[Any]:
    if name not in arrays:
        raise DataError(f"{path}: arrays must hold {name!r}, got only {', '.join(sorted(arrays)) or 'none'}")
    return arrays[name]
