"""Photographs and their faces, kept in memory: grey, small enough for that, split by photograph."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.detection.faces import Faces
from training.detection.teacher import Teacher, merge_drawn
from training.errors import DataError

VALIDATION_PART = 10
"""One photograph in so many is kept out of training."""


@dataclass(frozen=True)
class Photograph:
    """One labelled photograph: ``luma`` uint8 (H, W); ``name`` is the path below the data folder."""

    name: str
    luma: NDArray[np.uint8]
    faces: Faces

    @property
    def is_validation(self) -> bool:
        """Kept out of training; decided by the name alone, so it holds from run to run and machine to machine."""
        return zlib.crc32(self.name.encode()) % VALIDATION_PART == 0


def photograph_paths(folder: Path) -> list[Path]:
    """Every JPEG and PNG below ``folder``, sorted."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg", ".png"})


def drawn_boxes(folder: Path) -> dict[str, NDArray[np.float32]]:
    """Boxes of every ``boxes.json`` below ``folder``, as (N, 4) by the photograph's path relative to ``folder``.

    The file is a list of objects with ``image`` and ``boxes``, a box being [x0, y0, x1, y1, label].
    """
    found: dict[str, NDArray[np.float32]] = {}
    for listing in sorted(folder.rglob("boxes.json")):
        for entry in json.loads(listing.read_text()):
            name = (listing.parent / str(entry["image"])).relative_to(folder).as_posix()
            found[name] = np.asarray([box[:4] for box in entry["boxes"]], np.float32).reshape(-1, 4)
    return found


def label_folder(folder: Path, weights: Path, labels: Path, workers: int = 2) -> None:
    """Write the faces of all photographs below ``folder`` to the ``labels`` file (npz, one array a photograph)."""
    drawn = drawn_boxes(folder)
    none = np.zeros((0, 4), np.float32)
    paths = photograph_paths(folder)

    def label_part(part: list[Path]) -> dict[str, NDArray[np.float32]]:
        teacher = Teacher(weights)
        rows = {}
        for path in part:
            name = path.relative_to(folder).as_posix()
            taught = teacher.label(read_luma(path))
            rows[name] = merge_drawn(drawn.get(name, none), taught).to_rows()
        return rows

    found: dict[str, NDArray[np.float32]] = {}
    with ThreadPoolExecutor(workers) as pool:
        for rows in pool.map(label_part, [paths[i::workers] for i in range(workers)]):
            found.update(rows)
    partial = labels.with_suffix(".partial.npz")
    np.savez_compressed(partial, **{name: found[name] for name in sorted(found)})  # type: ignore[arg-type]
    partial.replace(labels)


def load_photographs(folder: Path, labels: Path, limit: int | None = None) -> Iterator[Photograph]:
    """The labelled photographs of ``folder`` in the order of their names, at most ``limit`` spread over all of them."""
    with np.load(labels) as store:
        names = store.files
        if limit is not None and limit < len(names):
            names = [names[i] for i in np.linspace(0, len(names) - 1, limit).astype(int)]
        for name in names:
            yield Photograph(name, read_luma(folder / name), Faces.from_rows(store[name]))


def read_luma(path: Path) -> NDArray[np.uint8]:
    """Decode a picture file as luma uint8 (H, W). Raises :class:`DataError` where it is none."""
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise DataError(f"{path}: photograph must be a readable picture, got something else; take it out")
    return np.asarray(image, np.uint8)
