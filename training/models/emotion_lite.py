"""The network of ``emotion-lite`` in Keras: plain 3x3 convolutions with channel counts that are multiples of 16.

ONNX Runtime's CPU kernels keep such convolutions near the machine's peak, which depthwise ones never reach, so the
network spends its multiplications there. A stage is one convolution that changes the width (and halves the grid) and
residual pairs behind it (He et al. 2016, arXiv:1512.03385, section 3.3). Batch normalisation folds into the
convolutions at export.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from training.models.emotion_stages import HEADS, IMAGE_SIZE, LITE, Stage


@keras.saving.register_keras_serializable("ferserve")
class MirrorConvNorm(keras.layers.Layer):  # type: ignore[misc]
    """Convolution without bias, symmetric padding, batch normalisation, and optionally ReLU; NHWC.

    A face and its mirror image show the same emotion, and the layer builds that in (a group convolution over
    {identity, mirroring}: Cohen & Welling 2016, arXiv:1602.07576, section 6). Channels come in two halves: mirroring
    the input mirrors the output and swaps its halves. Only the first half's kernel is learnt; the second half's is its
    mirror image, with the input's halves swapped. It runs as one plain convolution, at the cost of one.

    A stride of 2 needs an even kernel: an odd one would sit on columns that mirroring moves.
    """

    def __init__(self, width: int, kernel: int = 3, stride: int = 1, activate: bool = True, **kwargs: Any) -> None:
        # Keras must not widen bfloat16 activations between the layers.
        super().__init__(autocast=False, **kwargs)
        if width % 2 or (kernel + stride) % 2:
            raise ValueError(
                f"width must be even and kernel odd for stride 1, even for 2, got {width}, {kernel}, {stride}"
            )
        self.width, self.kernel_size, self.stride, self.activate = width, kernel, stride, activate
        self.padding = (kernel - 1) // 2
        self.norm = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name="norm")

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Make the learnt half of the kernel and the normalisation that both halves share."""
        shape = (self.kernel_size, self.kernel_size, input_shape[-1], self.width // 2)
        self.half = self.add_weight(name="half", shape=shape, initializer="he_normal")
        self.norm.build((None, None, None, self.width // 2))
        super().build(input_shape)

    def kernel(self) -> Any:
        """(k, k, C, width): the learnt half and its mirror image. One channel, luma, has no halves to swap."""
        half = ops.convert_to_tensor(self.half)
        swapped = ops.roll(half, half.shape[2] // 2, axis=2)
        return ops.concatenate([half, ops.flip(swapped, axis=1)], axis=3)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """(N, H, W, C) to (N, H / stride, W / stride, width)."""
        if keras.backend.backend() == "torch":
            return self._call_torch(inputs, bool(training))
        pad = (self.padding, self.padding)
        x = ops.pad(inputs, ((0, 0), pad, pad, (0, 0)))
        x = ops.conv(x, self.kernel(), strides=self.stride, padding="valid", data_format="channels_last")
        rows, columns = x.shape[1:3]
        x = self.norm(ops.reshape(x, (-1, rows, 2 * columns, self.width // 2)), training=training)
        x = ops.reshape(x, (-1, rows, columns, self.width))
        return ops.relu(x) if self.activate else x

    def _call_torch(self, inputs: Any, training: bool) -> Any:
        """The same with torch's fused kernels, which halves the time per step on a CPU."""
        from torch.nn import functional

        # A permuted NHWC tensor is torch's channels-last memory format: nothing is copied.
        kernel = self.kernel().permute(3, 2, 0, 1)
        x = functional.conv2d(inputs.permute(0, 3, 1, 2), kernel, stride=self.stride, padding=self.padding)
        x = x.permute(0, 2, 3, 1)
        count, rows, columns, width = x.shape
        norm = self.norm
        x = functional.batch_norm(
            x.reshape(count, rows, 2 * columns, width // 2).permute(0, 3, 1, 2),
            norm.moving_mean.value, norm.moving_variance.value, norm.gamma.value, norm.beta.value,
            training, 1.0 - norm.momentum, norm.epsilon,
        )  # fmt: skip
        x = x.permute(0, 2, 3, 1).reshape(count, rows, columns, width)
        return functional.relu(x, inplace=True) if self.activate else x

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """Shape of what :meth:`call` returns."""
        rows, columns = (None if n is None else n // self.stride for n in input_shape[1:3])
        return (input_shape[0], rows, columns, self.width)

    def get_config(self) -> dict[str, Any]:
        """Arguments that rebuild the layer."""
        own = {"width": self.width, "kernel": self.kernel_size, "stride": self.stride, "activate": self.activate}
        return {**super().get_config(), **own}


def build_model(stages: Sequence[Stage] = LITE, dropout: float = 0.2, image_size: int = IMAGE_SIZE) -> keras.Model:
    """A model from luma (N, size, size, 1), float32 (pixel - mean) / std, to a dict of logits by head."""
    image = keras.Input((image_size, image_size, 1), name="image")
    x = image
    for s, stage in enumerate(stages):
        x = MirrorConvNorm(stage.width, stage.kernel, stage.stride, name=f"stage{s}_in")(x)
        for p in range(stage.pairs):
            y = MirrorConvNorm(stage.width, name=f"stage{s}_pair{p}_a")(x)
            y = MirrorConvNorm(stage.width, activate=False, name=f"stage{s}_pair{p}_b")(y)
            y = keras.layers.Add(name=f"stage{s}_pair{p}_sum", autocast=False)([x, y])
            x = keras.layers.ReLU(name=f"stage{s}_pair{p}", autocast=False)(y)
    # The mean over both halves does not change under mirroring.
    _, rows, columns, width = x.shape
    x = keras.layers.Reshape((rows * columns * 2, width // 2), name="halves")(x)
    x = keras.layers.GlobalAveragePooling1D(name="pool")(x)
    if dropout:
        x = keras.layers.Dropout(dropout, name="dropout")(x)
    # One matrix for all heads: a single small product at the end of the graph.
    logits = keras.layers.Dense(sum(HEADS.values()), name="heads")(x)
    return keras.Model(image, logits, name="emotion_lite")
