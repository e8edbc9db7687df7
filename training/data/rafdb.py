"""RAF-DB, basic emotions: 15,339 aligned faces from the web (Li et al. 2017).

``EmoLabel/list_patition_label.txt`` (its own spelling) with lines like ``train_00001.jpg 5``, and
``Image/aligned/train_00001_aligned.jpg``.
"""

from __future__ import annotations

from pathlib import Path

from ferserve.labels import FER2013
from training.data.samples import Samples, Terms
from training.errors import DataError

TERMS = Terms(
    name="RAF-DB",
    licence="non-commercial research only, after a signed agreement",
    obtain="whdeng.cn/RAF/model1.html, by e-mail from a university",
)
CODES = ("surprise", "fear", "disgust", "happy", "sad", "angry", "neutral")
"""Emotions by their number in the label file, which counts from 1."""


def load_rafdb(path: Path) -> Samples:
    """Read the folder ``basic``; raises :class:`DataError` that names file and line."""
    list_file = path / "EmoLabel" / "list_patition_label.txt"
    if not list_file.is_file():
        raise DataError(f"{list_file}: label file must be there, got nothing; {TERMS.obtain}")
    files, targets, split, places = [], [], [], []
    for number, line in enumerate(list_file.read_text().splitlines(), start=1):
        place = f"{list_file}:{number}"
        match line.split():
            case [name, code] if code.isdigit() and 1 <= int(code) <= len(CODES):
                file = path / "Image" / "aligned" / name.replace(".jpg", "_aligned.jpg")
                if not file.is_file():
                    raise DataError(f"{place}: image must be at {file}, got nothing there")
                files.append(file)
                targets.append(FER2013.index(CODES[int(code) - 1]))
                split.append("train" if name.startswith("train") else "test")
                places.append(place)
            case _:
                raise DataError(f"{place}: line must be 'train_00001.jpg 1' with a label to 7, got {line!r}")
    return Samples.of_files(TERMS, files, {"emotion": targets}, {"emotion": FER2013}, split, places)
