"""Recognises a data set by its files, so that one ``--data`` takes any of them."""

from __future__ import annotations

import contextlib
from pathlib import Path

from training.data.affectnet import load_affectnet
from training.data.ckplus import load_ckplus
from training.data.faces import load_faces
from training.data.fer2013 import SIDE, load_fer2013
from training.data.folders import load_folders
from training.data.jaffe import load_jaffe
from training.data.rafdb import load_rafdb
from training.data.samples import Samples, image_files, read_image
from training.errors import DataError
from training.recipe import RunOptions


def load_any(path: Path) -> Samples:
    """The data set at ``path``; FER2013 comes without training rows that are copies of test images."""
    if path.is_file() or not path.exists() or any(path.glob("*.npz")) or any(path.glob("*.csv")):
        return load_fer2013(path, skip_corrupt=True).honest().samples()
    if _is_fer2013(path):
        return load_fer2013(path, skip_corrupt=True).honest().samples()
    if (path / "EmoLabel").is_dir():
        return load_rafdb(path)
    if (path / "train_set").is_dir():
        return load_affectnet(path)
    if (path / "Emotion").is_dir():
        return load_ckplus(path)
    if any(path.glob("*_[ymo]_[fm]_[adfhns]_[ab].*")):
        return load_faces(path)
    if any(path.glob("*.tif*")):
        return load_jaffe(path)
    return load_folders(path)


def _is_fer2013(path: Path) -> bool:
    """Whether ``path`` holds FER2013's own folders: other faces may lie in folders of the same names."""
    if not (path / "train" / "disgust").is_dir():
        return False
    for file in image_files(path / "train" / "angry"):
        with contextlib.suppress(DataError):  # the audit names it
            return read_image(file).shape == (SIDE, SIDE)
    return False


def load_study(options: RunOptions) -> Samples:
    """Data of the FER2013 study: seven classes, or with ``--balanced`` six in about equal numbers."""
    if not options.balanced:
        return load_any(options.data)
    return load_fer2013(options.data, skip_corrupt=True).honest().balanced(seed=options.seed)
