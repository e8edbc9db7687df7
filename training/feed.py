"""Hands batches to ``fit`` at a price that a small network does not notice.

Keras asks a PyDataset for one batch at a time through Python, three milliseconds each on TensorFlow, where a step of
``fer2013_dense`` takes 1.4. There TensorFlow's own threads pick the rows, or cut larger pieces apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from training.batches import Batches

CHUNK_BYTES = 8 << 20


def fit(model: Any, batches: Batches, callbacks: Sequence[Any] = (), **options: Any) -> Any:
    """``model.fit`` over ``batches``, in their order and anew shuffled each epoch; returns Keras's History.

    ``options`` are those of Keras's ``fit``.
    """
    if keras.backend.backend() != "tensorflow":
        return model.fit(batches, callbacks=list(callbacks), **options)
    return model.fit(_dataset(batches), callbacks=[*callbacks, _Shuffle(batches)], shuffle=False, **options)


class _Shuffle(keras.callbacks.Callback):  # type: ignore[misc]
    """Tells the batches that an epoch is over, as Keras itself does for a PyDataset."""

    def __init__(self, batches: Batches) -> None:
        super().__init__()
        self._batches = batches

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Keras calls this before it asks for the next epoch's first batch."""
        self._batches.on_epoch_end()


def _dataset(batches: Batches) -> Any:
    """A ``tf.data.Dataset`` of the very same batches."""
    import tensorflow as tf

    data = _gathered(batches) if batches.in_memory is not None else _generated(batches)
    options = tf.data.Options()
    options.threading.private_threadpool_size = 2  # the network's own threads are never interrupted by it
    data = data.prefetch(8).apply(tf.data.experimental.assert_cardinality(len(batches)))
    return data.with_options(options)


def _gathered(batches: Batches) -> Any:
    """Rows that lie in memory and need no change are picked by TensorFlow itself, a whole batch at a time."""
    import tensorflow as tf

    rows = keras.tree.map_structure(tf.constant, batches.in_memory)
    size = batches.batch_size

    def epoch(order: Any) -> Any:
        starts = tf.data.Dataset.range(0, len(batches) * size, size)
        return starts.map(lambda start: pick(order[start : start + size]))

    def pick(picked: Any) -> Any:
        return keras.tree.map_structure(lambda values: tf.gather(values, picked), rows)

    order = tf.data.Dataset.from_generator(lambda: [batches.order], output_signature=tf.TensorSpec([None], tf.int64))
    return order.flat_map(epoch)


def _generated(batches: Batches) -> Any:
    """Batches that Python makes, several in one piece."""
    import tensorflow as tf

    first = batches[0]
    signature = keras.tree.map_structure(lambda a: tf.TensorSpec((None, *a.shape[1:]), a.dtype), first)
    size = max(1, CHUNK_BYTES // first[0].nbytes)

    def chunks() -> Iterator[Any]:
        for start in range(0, len(batches), size):
            parts = [batches[i] for i in range(start, min(start + size, len(batches)))]
            yield keras.tree.map_structure(lambda *arrays: np.concatenate(arrays), *parts)

    return tf.data.Dataset.from_generator(chunks, output_signature=signature).prefetch(2).rebatch(batches.batch_size)
