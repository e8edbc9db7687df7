"""Shuffled, augmented batches for Keras, made by threads while the model trains."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ferserve.models.spec import InputSpec
from training.classification.augment import Augmentation
from training.common.pixels import PixelRows
from training.data.samples import Samples


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of (images, labels); seed and epoch alone decide their order, so that runs can be resumed."""

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
        """``seed`` None keeps the order of the set, for evaluation."""
        super().__init__(workers=workers, use_multiprocessing=False, max_queue_size=16)
        self._rows = PixelRows(samples.images, spec)
        self._targets = samples.targets
        self.batch_size = batch_size
        self._augmentation = augmentation or Augmentation()
        self._seed = seed
        self.epoch = first_epoch
        self._order = (first_epoch, self.order_of(first_epoch))

    def __len__(self) -> int:
        return -(-len(self._rows) // self.batch_size)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], Any]:
        return self.make(self.epoch, index)

    def make(self, epoch: int, index: int) -> tuple[NDArray[np.float32], Any]:
        """Batch ``index`` of ``epoch``: images float32 (N, *row_shape), and labels, by head if there are several."""
        rows = self._rows_of(epoch)[index * self.batch_size : (index + 1) * self.batch_size]
        images = self._rows.take(rows)
        if self._augmentation:
            images = self._augmentation.apply(images, np.random.default_rng([self._seed or 0, epoch, index]))
        return images, self._labels(rows)

    def _rows_of(self, epoch: int) -> NDArray[np.intp]:
        """The order of ``epoch``, cached until another epoch begins."""
        known, order = self._order
        if known != epoch:
            order = self.order_of(epoch)
            self._order = (epoch, order)
        return order

    def _labels(self, rows: NDArray[np.intp] | slice) -> Any:
        if len(self._targets) == 1:
            return next(iter(self._targets.values()))[rows]
        return {head: target[rows] for head, target in self._targets.items()}

    @property
    def in_memory(self) -> tuple[NDArray[np.float32], Any] | None:
        """All images and labels in the order of the set, None unless they are in memory and not augmented."""
        if self._augmentation or self._rows.cache is None:
            return None
        return self._rows.cache, self._labels(slice(None))

    def on_epoch_end(self) -> None:
        """Shuffle again."""
        self.epoch += 1

    def order_of(self, epoch: int) -> NDArray[np.intp]:
        """(N,) rows in the order of ``epoch``."""
        if self._seed is None:
            return np.arange(len(self._rows))
        return np.random.default_rng([self._seed, epoch]).permutation(len(self._rows))
