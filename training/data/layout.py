"""Tells data sets apart by what lies on disk, so that one ``--data`` takes any of them."""

from __future__ import annotations

from pathlib import Path

from training.data.affectnet import load_affectnet
from training.data.ckplus import load_ckplus
from training.data.faces import load_faces
from training.data.fer2013 import load_fer2013
from training.data.folders import load_folders
from training.data.jaffe import load_jaffe
from training.data.rafdb import load_rafdb
from training.data.samples import Samples
from training.recipe import RunOptions


def load_any(path: Path) -> Samples:
    """The data set at ``path``; FER2013 comes without training rows that are copies of test images."""
    if path.is_file() or not path.exists() or any(path.glob("*.npz")) or any(path.glob("*.csv")):
        return load_fer2013(path, skip_corrupt=True).honest().samples()
    if (path / "train" / "angry").is_dir() and (path / "train" / "disgust").is_dir():
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


def load_study(options: RunOptions) -> Samples:
    """What the FER2013 study trains on: seven classes, or with ``--balanced`` six in about equal numbers."""
    if not options.balanced:
        return load_any(options.data)
    return load_fer2013(options.data, skip_corrupt=True).honest().balanced(seed=options.seed)
