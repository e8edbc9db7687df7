"""FER2013 with FER+ votes: selects the training rows and makes their targets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ferserve.labels import FER2013
from training.data.arrays import VOTES, luma_images, read_arrays, whole_numbers
from training.data.audit import pixel_digest
from training.errors import DataError
from training.models.emotion_stages import IMAGE_SIZE

Floats = NDArray[np.float32]

TRAIN, PUBLIC_TEST, PRIVATE_TEST = 0, 1, 2
NOT_A_FACE = 9


@dataclass(frozen=True)
class VotedSamples:
    """N faces with FER2013 labels and FER+ votes."""

    images: NDArray[np.uint8]
    """(N, 48, 48) luma."""
    labels: NDArray[np.int64]
    """(N,) FER2013 labels, 0 to 6."""
    votes: NDArray[np.int64]
    """(N, 10) FER+ votes: the eight emotions, unknown, not a face."""

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_] | slice) -> VotedSamples:
        """The given rows as a new set."""
        return VotedSamples(self.images[rows], self.labels[rows], self.votes[rows])


def load_voted_samples(path: Path) -> tuple[VotedSamples, VotedSamples]:
    """Read ``path`` (.npz) and return (usable training rows, all PublicTest rows).

    Left out of training: copies of test images, near copies that the masks ``near_private_test`` and
    ``near_public_test`` name, constant images, and rows that most taggers called not a face. Raises :class:`DataError`
    if an array is missing or malformed, or no row is left.
    """
    arrays = read_arrays(path)
    images = luma_images(arrays, path, (IMAGE_SIZE, IMAGE_SIZE))
    count = len(images)
    everything = VotedSamples(
        images,
        whole_numbers(arrays, "labels", (count,), len(FER2013) - 1, path),
        whole_numbers(arrays, "ferplus_votes", (count, VOTES), 255, path),
    )
    usage = whole_numbers(arrays, "usage", (count,), PRIVATE_TEST, path)
    keep = usage == TRAIN
    for flag in ("near_private_test", "near_public_test"):
        if flag in arrays:
            keep &= whole_numbers(arrays, flag, (count,), 1, path) == 0
    keep &= ~_copies(images, images[usage != TRAIN])
    keep &= images.reshape(count, -1).std(axis=1) > 0
    keep &= everything.votes[:, NOT_A_FACE] < 5
    for part, rows in (("training", keep), ("PublicTest", usage == PUBLIC_TEST)):
        if not rows.any():
            raise DataError(f"{path}: usage must name at least one {part} row that can be used, got none")
    return everything.take(keep), everything.take(usage == PUBLIC_TEST)


def _copies(images: NDArray[np.uint8], tests: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """(N,) True for images with the same pixels as one of ``tests``."""
    known = {pixel_digest(test) for test in tests}
    return np.fromiter((pixel_digest(image) in known for image in images), np.bool_, len(images))


@dataclass(frozen=True)
class TargetOptions:
    """How certain the targets are."""

    smoothing: float = 0.1
    """Label smoothing of the FER2013 head (Szegedy et al. 2016, arXiv:1512.00567, section 7)."""
    soft_votes: bool = True
    """Vote shares as the FER+ target; False takes the majority label, for the ablation."""


def make_targets(samples: VotedSamples, options: TargetOptions | None = None) -> Floats:
    """(N, 17) target distributions: FER+ shares of the eight emotions, smoothed FER2013 label, clear/unclear."""
    options = options or TargetOptions()
    votes = samples.votes.astype(np.float32)
    emotion = votes[:, :8].copy()
    emotion[emotion.sum(axis=1) == 0] = 1.0
    if not options.soft_votes:
        emotion = np.eye(8, dtype=np.float32)[emotion.argmax(axis=1)]
    emotion /= emotion.sum(axis=1, keepdims=True)
    fer2013 = np.eye(7, dtype=np.float32)[samples.labels]
    fer2013 = fer2013 * (1 - options.smoothing) + options.smoothing / 7
    unclear = votes[:, 8:].sum(axis=1, keepdims=True) / np.maximum(votes.sum(axis=1, keepdims=True), 1)
    return np.concatenate([emotion, fer2013, 1 - unclear, unclear], axis=1).astype(np.float32)
