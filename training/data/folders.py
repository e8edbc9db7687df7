"""One folder per class, named after it; optionally below ``train``, ``validation``, ``test``."""

from __future__ import annotations

import difflib
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

    The folders of given ``labels`` may be in any case (``Angry``), and below ``data`` as works lay them out. Raises
    :class:`DataError` for a class without pictures, or a folder that is not among ``labels``.
    """
    path = _root(path)
    parts = [(path / folder, part) for folder, part in PARTS.items() if (path / folder).is_dir()] or [(path, "")]
    folders = [(child, part) for root, part in parts for child in sorted(root.glob("*/"))]
    classes = labels or tuple(sorted({child.name for child, _ in folders}))
    if not classes:
        raise DataError(f"{path}: folder must hold one folder per class, got none; {TERMS.obtain}")
    indices = [_class_of(child, classes, any_case=labels is not None) for child, _ in folders]
    files, targets, split = [], [], []
    for root, part in parts:
        for index, label in enumerate(classes):
            named = zip(folders, indices, strict=True)
            found = [file for (child, _), own in named if child.parent == root and own == index
                     for file in image_files(child)]  # fmt: skip
            if not found and part in ("", "train"):
                raise DataError(f"{root / label}: class {label} must have at least one image, got none; add some")
            files += found
            targets += [index] * len(found)
            split += [part] * len(found)
    return Samples.of_files(TERMS, files, {"emotion": targets}, {"emotion": classes}, split)


def _root(path: Path) -> Path:
    """``path``, or its folder ``data`` if that is all that it holds."""
    children = [child for child in path.glob("*/") if not child.name.startswith(".")]
    return children[0] if [child.name for child in children] == ["data"] else path


def _class_of(folder: Path, labels: tuple[str, ...], any_case: bool) -> int:
    name = folder.name.lower() if any_case else folder.name
    if name in labels:
        return labels.index(name)
    near = difflib.get_close_matches(name.strip().lower(), labels, 1)
    hint = f"; rename it to {near[0]}" if near else "; move it elsewhere"
    raise DataError(f"{folder}: class must be one of {', '.join(labels)}, got {folder.name!r}{hint}")
