"""A small data set, and a tiny network that was trained on it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data

pytest.importorskip("keras", reason="training needs the training extra")
pytest.importorskip("onnx", reason="training needs the training extra")


from tests.training.emotion_lite.sets import RECIPE_FILE, TINY, make_faces
from training.emotion_lite.augment import NO_AUGMENTATION
from training.emotion_lite.fit import FitOptions
from training.emotion_lite.job import train_model
from training.emotion_lite.release import release
from training.emotion_lite.voted_samples import load_voted_samples, make_targets


@pytest.fixture(scope="package")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fer2013") / "faces.npz"
    np.savez(path, **make_faces(480))
    return path


@pytest.fixture(scope="package")
def released(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny network's files, trained for a moment."""
    out = tmp_path_factory.mktemp("released")
    train, test = load_voted_samples(data)
    options = FitOptions(epochs=8, batch_size=32, peak_rate=0.05, ema=0.9, meet_every=1, augmentation=NO_AUGMENTATION)
    model = train_model(TINY, train.images, make_targets(train), test, options, out)
    release(model, TINY, test, data, RECIPE_FILE, out)
    return out


@pytest.fixture(scope="package")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one photograph of one face."""
    folder = tmp_path_factory.mktemp("photographs")
    cv2.imwrite(str(folder / "astronaut.png"), cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2BGR))
    return folder
