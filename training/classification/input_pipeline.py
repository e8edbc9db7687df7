"""Feeds batches to ``fit`` at a cost that even a small network does not notice.

Keras asks a PyDataset for one batch at a time through Python, which takes three milliseconds on TensorFlow; a step of
``fer2013_dense`` takes 1.2. So TensorFlow's own threads gather the rows, or cut larger chunks into batches, and go on
from one epoch to the next without a stop.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from training.classification.batches import Batches

CHUNK_BYTES = 8 << 20


def fit(model: Any, batches: Batches, callbacks: Sequence[Any] = (), **options: Any) -> Any:
    """``model.fit`` over ``batches``, in their order, shuffled again each epoch; returns Keras's History.

    ``options`` are those of Keras's ``fit``.
    """
    if keras.backend.backend() != "tensorflow":
        return model.fit(batches, callbacks=[_Turn(batches), *callbacks], shuffle=False, **options)
    steps = len(batches)
    return model.fit(_dataset(batches), steps_per_epoch=steps, callbacks=list(callbacks), shuffle=False, **options)


class _Turn(keras.callbacks.Callback):  # type: ignore[misc]
    """Sets the batches' epoch: Keras ends an epoch before the first one begins."""

    def __init__(self, batches: Batches) -> None:
        super().__init__()
        self._batches = batches

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._batches.epoch = epoch


def _dataset(batches: Batches) -> Any:
    """A ``tf.data.Dataset`` of the same batches, one epoch after the other."""
    import tensorflow as tf

    rows = batches.in_memory
    data = _generated(batches) if rows is None else _gathered(batches, *rows)
    options = tf.data.Options()
    options.threading.private_threadpool_size = 1  # more would interrupt the network's own threads
    return data.prefetch(8).with_options(options)


def _gathered(batches: Batches, images: NDArray[np.float32], labels: Any) -> Any:
    """Let TensorFlow gather rows that are in memory and not augmented, a whole batch at a time."""
    import tensorflow as tf

    # Share the images' memory: copying FER2013 takes TensorFlow as long as an epoch of a small network.
    rows = (tf.experimental.dlpack.from_dlpack(images.__dlpack__()), keras.tree.map_structure(tf.constant, labels))
    size = batches.batch_size

    def orders() -> Iterator[NDArray[np.intp]]:
        return map(batches.order_of, itertools.count(batches.epoch))

    def epoch(order: Any) -> Any:
        starts = tf.data.Dataset.range(0, len(batches) * size, size)
        return starts.map(lambda start: pick(order[start : start + size]))

    def pick(picked: Any) -> Any:
        return keras.tree.map_structure(lambda values: tf.gather(values, picked), rows)

    order = tf.data.Dataset.from_generator(orders, output_signature=tf.TensorSpec([None], tf.int64))
    return order.prefetch(1).flat_map(epoch)


def _generated(batches: Batches) -> Any:
    """Batches made in Python, several per chunk."""
    import tensorflow as tf

    first = batches[0]
    signature = keras.tree.map_structure(lambda a: tf.TensorSpec((None, *a.shape[1:]), a.dtype), first)
    size = max(1, CHUNK_BYTES // first[0].nbytes)
    epochs = itertools.count(batches.epoch)

    def chunks() -> Iterator[Any]:
        epoch = next(epochs)
        for start in range(0, len(batches), size):
            parts = [batches.make(epoch, i) for i in range(start, min(start + size, len(batches)))]
            yield keras.tree.map_structure(lambda *arrays: np.concatenate(arrays), *parts)

    pieces = tf.data.Dataset.from_generator(chunks, output_signature=signature)
    return pieces.prefetch(2).rebatch(batches.batch_size).repeat()
