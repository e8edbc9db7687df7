"""Labelled photographs in memory, as luma, split into training and validation by photograph."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.photographs import photograph_paths, read_luma
from training.errors import DataError
from training.face_lite.faces import Faces
from training.face_lite.teacher import Teacher, merge_drawn

VALIDATION_PART = 10
"""One photograph in this many is for validation."""


@dataclass(frozen=True)
class Photograph:
    """One labelled photograph: ``luma`` uint8 (H, W); ``name`` is the path below the data folder."""

    name: str
    luma: NDArray[np.uint8]
    faces: Faces

    @property
    def is_validation(self) -> bool:
        """See :func:`is_kept_out`."""
        return is_kept_out(self.name)


def is_kept_out(name: str) -> bool:
    """Whether a photograph is for validation; the name alone decides, so it is the same in every run."""
    return zlib.crc32(name.encode()) % VALIDATION_PART == 0


def drawn_boxes(folder: Path) -> dict[str, NDArray[np.float32]]:
    """Boxes of every ``boxes.json`` below ``folder``, as (N, 4) by the photograph's path relative to ``folder``.

    The file is a list of objects with ``image`` and ``boxes``, a box being [x0, y0, x1, y1, label]. Raises
    :class:`DataError` if it is not.
    """
    found: dict[str, NDArray[np.float32]] = {}
    for listing in sorted(folder.rglob("boxes.json")):
        below = listing.parent.relative_to(folder)
        found.update({(below / name).as_posix(): boxes for name, boxes in _read_boxes(listing).items()})
    return found


def _read_boxes(listing: Path) -> dict[str, NDArray[np.float32]]:
    try:
        return {
            str(entry["image"]): np.asarray([box[:4] for box in entry["boxes"]], np.float32).reshape(-1, 4)
            for entry in json.loads(listing.read_text())
        }
    except (ValueError, LookupError, TypeError) as error:
        raise DataError(
            f"{listing}: file must be a JSON list of objects with image and boxes [x0, y0, x1, y1, label], "
            f"got {type(error).__name__}: {error}; take it out to let YuNet label its photographs"
        ) from None


def label_folder(folder: Path, weights: Path, labels: Path, workers: int = 2) -> None:
    """Write the faces of all photographs below ``folder`` to the ``labels`` file (npz, one array per photograph).

    Raises :class:`DataError` for a photograph or a ``boxes.json`` that cannot be read, and
    :class:`~ferserve.errors.ModelSpecError` if ``weights`` is not YuNet's file.
    """
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
    names = labelled_names(labels, limit)
    with np.load(labels) as store:
        for name in names:
            yield Photograph(name, read_luma(folder / name), Faces.from_rows(store[name]))


def labelled_names(labels: Path, limit: int | None = None) -> list[str]:
    """Names of the photographs in a ``labels`` file, at most ``limit`` spread over all of them.

    Raises :class:`DataError` if it is another file.
    """
    try:
        with np.load(labels) as store:
            names: list[str] = store.files
    except (OSError, ValueError, AttributeError, zipfile.BadZipFile) as error:
        raise DataError(f"{labels}: file must be labels.npz of a run of face_lite, got {error}") from None
    if limit is None or limit >= len(names):
        return names
    return [names[i] for i in np.linspace(0, len(names) - 1, limit).astype(int)]


def require_both_parts(names: Sequence[str]) -> None:
    """Raise :class:`DataError` unless photographs of these ``names`` give both training and validation photographs."""
    kept = sum(map(is_kept_out, names))
    if not 0 < kept < len(names):
        raise DataError(
            f"photographs must be some that train and some that are kept out (one in {VALIDATION_PART}, by name), "
            f"got {len(names) - kept} and {kept}; add JPEG or PNG files to the folder of --data, or raise --limit"
        )
