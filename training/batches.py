"""Feeds Keras: shuffled, augmented batches, made by threads while the model trains on the one before."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ferserve.model_spec import InputSpec
from training.augment import Augmentation
from training.data.samples import Samples
from training.pixels import PixelRows


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of (images, labels) in an order that depends on seed and epoch alone, so that runs can be resumed."""

    def __init__(
        self,
        samples: Samples,
        spec: InputSpec,
        batch_size: int,
        augmentation: Augmentation | None = None,
        seed: int | None = None,
        first_epoch: int = 0,
        workers: int = 2,
    ) -> None:
        """``seed`` None keeps the order of the set, as evaluation wants it."""
        super().__init__(workers=workers, use_multiprocessing=False, max_queue_size=16)
        self._rows = PixelRows(samples.images, spec)
        self._targets = samples.targets
        self._batch_size = batch_size
        self._augmentation = augmentation or Augmentation()
        self._seed = seed
        self._epoch = first_epoch
        self._order = self._shuffled()

    def __len__(self) -> int:
        return -(-len(self._rows) // self._batch_size)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], Any]:
        rows = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        images = self._rows.take(rows)
        if self._augmentation:
            images = self._augmentation.apply(images, np.random.default_rng([self._seed or 0, self._epoch, index]))
        if len(self._targets) == 1:
            return images, next(iter(self._targets.values()))[rows]
        return images, {head: target[rows] for head, target in self._targets.items()}

    def on_epoch_end(self) -> None:
        """Shuffle anew."""
        self._epoch += 1
        self._order = self._shuffled()

    def _shuffled(self) -> NDArray[np.intp]:
        if self._seed is None:
            return np.arange(len(self._rows))
        return np.random.default_rng([self._seed, self._epoch]).permutation(len(self._rows))
