"""One folder per class, named after it; optionally below ``train``, ``validation``, ``test``."""

from __future__ import annotations

from pathlib import Path

from training.data.samples import Samples, Terms, image_files
from training.errors import DataError

TERMS = Terms(
    name="folders",
    licence="that of the pictures' owner",
    obtain="put pictures of each class into a folder of that name",
)
PARTS = {"train": "train", "validation": "validation", "val": "validation", "test": "test"}


def load_folders(path: Path, labels: tuple[str, ...] | None = None) -> Samples:
    """Read class folders; ``labels`` None takes the folders' names in alphabetical order.

    Raises :class:`DataError` for a class without pictures, or a folder that is not among ``labels``.
    """
    parts = [(path / folder, part) for folder, part in PARTS.items() if (path / folder).is_dir()] or [(path, "")]
    names = sorted({child.name for root, _ in parts for child in root.glob("*/")})
    labels = labels or tuple(names)
    if not labels:
        raise DataError(f"{path}: folder must hold one folder per class, got none; {TERMS.obtain}")
    for name in names:
        if name not in labels:
            raise DataError(f"{path / name}: class must be one of {', '.join(labels)}, got {name}")
    files, targets, split = [], [], []
    for root, part in parts:
        for index, label in enumerate(labels):
            found = image_files(root / label)
            if not found and part in ("", "train"):
                raise DataError(f"{root / label}: class {label} must have at least one image, got none")
            files += found
            targets += [index] * len(found)
            split += [part] * len(found)
    return Samples.of_files(TERMS, files, {"emotion": targets}, {"emotion": labels}, split)
