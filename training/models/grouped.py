"""A grouped convolution that can be trained on a CPU and still be exported to ONNX."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import keras
import numpy as np
from keras import layers, ops


@keras.saving.register_keras_serializable("ferserve")
class GroupedConv2D(layers.Conv2D):  # type: ignore[misc]
    """Conv2D with ``groups``.

    TensorFlow has no gradient of a grouped convolution on a CPU, and Keras's way around it (XLA) took minutes to
    compile ResNeXt50. So here the kernel is laid out as a block-diagonal dense one, which is more arithmetic but in
    TensorFlow's fastest operator. Inside :meth:`exporting` it is the true grouped operator, which converters know.
    """

    grouped: ClassVar[bool] = False

    @classmethod
    @contextmanager
    def exporting(cls) -> Iterator[None]:
        """Use the operator that converters know."""
        cls.grouped = True
        try:
            yield
        finally:
            cls.grouped = False

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """One convolution of (N, H, W, C) by (h, w, C / groups, filters)."""
        import tensorflow as tf

        strides = list(self.strides)
        if self.grouped or tf.config.list_physical_devices("GPU"):
            return tf.nn.conv2d(inputs, kernel, strides=strides, padding=self.padding.upper())
        dense = ops.tile(kernel, (1, 1, self.groups, 1)) * self._blocks(kernel.shape)
        return tf.nn.conv2d(inputs, dense, strides=strides, padding=self.padding.upper())

    def _blocks(self, shape: Any) -> Any:
        """(C, filters): 1 if input channel and filter are in the same group, else 0."""
        into = np.arange(shape[2] * self.groups) // shape[2]
        out = np.arange(self.filters) // (self.filters // self.groups)
        return ops.convert_to_tensor((into[:, None] == out[None, :]).astype(np.float32))
