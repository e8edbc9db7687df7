"""A set for emotion_lite in the layout of the real file, small and easy to learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training import __main__ as command
from training.emotion_lite.voted_samples import VotedSamples
from training.models.emotion_stages import Stage

Arrays = dict[str, NDArray[Any]]

TINY = (Stage(16, 2, kernel=2), Stage(16, 2, pairs=1, kernel=2))
RECIPE_FILE = Path(command.__file__).parent / "recipes" / "emotion_lite.py"


def make_faces(rows: int) -> Arrays:
    """A set in the layout of the real file: bright bars whose distance tells the class, and noise."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 7, rows).astype(np.uint8)
    images = rng.integers(0, 60, (rows, 48, 48)).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[:: 2 + int(label)] = 230
    votes = np.zeros((rows, 10), np.uint8)
    votes[np.arange(rows), np.array([4, 5, 6, 1, 3, 2, 0])[labels]] = 8
    votes[:, 8] = 2
    near = np.zeros(rows, np.bool_)
    usage = (np.arange(rows) % 3 == 0).astype(np.uint8)
    return {
        "images": images, "labels": labels, "ferplus_votes": votes, "usage": usage,
        "near_private_test": near, "near_public_test": near.copy(),
    }  # fmt: skip


def as_samples(arrays: Arrays) -> VotedSamples:
    return VotedSamples(arrays["images"], arrays["labels"].astype(int), arrays["ferplus_votes"].astype(int))
