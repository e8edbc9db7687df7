"""AffectNet: faces from the web, eight expressions (Mollahosseini et al. 2017).

``train_set/images/0.jpg`` with ``train_set/annotations/0_exp.npy`` (one number), and ``val_set`` alike.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ferserve.labels import FERPLUS
from training.data.samples import Samples, Terms, image_files
from training.errors import DataError

TERMS = Terms(
    name="AffectNet",
    licence="non-commercial research only, after a signed agreement",
    obtain="mohammadmahoor.com/pages/databases/affectnet, on request",
)
CODES = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt")
"""Emotions by their number in the annotations."""
PARTS = {"train_set": "train", "val_set": "test"}
"""Folder to split; AffectNet's own test set is not published, so its validation set is the test part."""


def load_affectnet(path: Path) -> Samples:
    """Read ``train_set`` and ``val_set``; raises :class:`DataError` that names the file at fault."""
    files, targets, split = [], [], []
    for folder, part in PARTS.items():
        for file in image_files(path / folder / "images"):
            files.append(file)
            targets.append(FERPLUS.index(_emotion(path / folder / "annotations" / f"{file.stem}_exp.npy")))
            split.append(part)
    if "train" not in split:
        raise DataError(f"{path / 'train_set' / 'images'}: folder must hold images, got none; {TERMS.obtain}")
    return Samples.of_files(TERMS, files, {"emotion": targets}, {"emotion": FERPLUS}, split)


def _emotion(annotation: Path) -> str:
    try:
        code = int(str(np.load(annotation, allow_pickle=False)))
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{annotation}: annotation must be an npy file with one number, got {error}") from None
    if not 0 <= code < len(CODES):
        raise DataError(f"{annotation}: expression must be from 0 to {len(CODES) - 1}, got {code}")
    return CODES[code]
