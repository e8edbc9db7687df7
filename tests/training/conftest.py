"""Training tests need TensorFlow; they skip where the training extra is not installed."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

pytest.importorskip("tensorflow", reason="needs the training extra: pip install 'ferserve[training]'")


@pytest.fixture(scope="session")
def vgg16_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights for VGG16's extractor in the file format of keras.applications, random."""
    import keras

    path = tmp_path_factory.mktemp("weights") / "vgg16_notop.weights.h5"
    keras.applications.VGG16(include_top=False, weights=None, input_shape=(48, 48, 3)).save_weights(path)
    return path


@pytest.fixture(autouse=True)
def forget_models() -> Iterator[None]:
    """Give the memory of a test's networks back; Keras keeps them otherwise."""
    yield
    import keras

    keras.utils.clear_session()
    gc.collect()
