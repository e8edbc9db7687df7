"""Training tests need TensorFlow; they skip if the training extra is not installed."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

pytest.importorskip("tensorflow", reason="needs the training extra: pip install 'ferserve[training]'")


@pytest.fixture(scope="session")
def extractor_weights(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Random weights of a network of keras.applications without its classifier, in a file, by the network's name.

    ``narrow`` makes another builder of its builder, see ``tests/training/narrow.py``.
    """
    folder = tmp_path_factory.mktemp("weights")

    def file_of(network: str, narrow: Callable[..., Callable[..., Any]] | None = None) -> Path:
        import keras

        path = folder / f"{network.lower()}_{'whole' if narrow is None else 'narrow'}_notop.weights.h5"
        if not path.exists():
            make = getattr(keras.applications, network)
            make = make if narrow is None else narrow(make)
            make(include_top=False, weights=None, input_shape=(96, 96, 3)).save_weights(path)
        return path

    return file_of


@pytest.fixture
def vgg16_weights(extractor_weights: Callable[..., Path]) -> Path:
    """Random weights of VGG16's extractor."""
    return extractor_weights("VGG16")


@pytest.fixture(scope="session")
def fer2013(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small ``fer2013.csv``; tests only read it."""
    from tests.training import sets

    return sets.fer2013_csv(tmp_path_factory.mktemp("fer2013"))


@pytest.fixture(scope="session")
def first_epoch(fer2013: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Path], Path]:
    """A function of (recipe, folder) that copies a run over one epoch of :func:`fer2013`, trained once, into folder."""
    from training.recipe import RunOptions, get_recipe

    trained = tmp_path_factory.mktemp("runs")

    def copy(recipe: str, folder: Path) -> Path:
        if not (trained / recipe).exists():
            get_recipe(recipe).run(RunOptions(fer2013, trained / recipe, epochs=1))
        return Path(shutil.copytree(trained / recipe, folder))

    return copy


@pytest.fixture(autouse=True)
def forget_models() -> Iterator[None]:
    """Give the memory of a test's networks back; Keras keeps them otherwise."""
    yield
    import keras

    keras.utils.clear_session()
    gc.collect()
    gc.freeze()  # what TensorFlow keeps for good is not looked through again after every later test
