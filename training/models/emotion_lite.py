"""The architecture of ``emotion-lite``: plain 3x3 convolutions with channel counts that are multiples of 16.

ONNX Runtime's CPU kernels keep such convolutions near the machine's peak, which depthwise ones never reach, so the
network spends its multiplications there. A stage is one convolution that changes the width (and halves the grid) and
residual pairs behind it (He et al. 2016, arXiv:1512.03385, section 3.3). Batch normalisation folds into the
convolutions at export.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

IMAGE_SIZE = 48
HEADS: dict[str, int] = {"emotion": 8, "emotion_fer2013": 7, "clarity": 2}
"""Classes by head: FER+, FER2013, and whether the taggers could read the face at all."""


@dataclass(frozen=True)
class Stage:
    """One width of the network."""

    width: int
    stride: int
    pairs: int = 0
    """Residual pairs of 3x3 convolutions behind the first one."""
    kernel: int = 3


LITE: tuple[Stage, ...] = (
    Stage(16, 1),
    Stage(32, 2),
    Stage(64, 2, pairs=1),
    Stage(128, 2, pairs=1),
    Stage(192, 2, pairs=1),
)
"""The network that is bundled."""

TEACHER: tuple[Stage, ...] = (
    Stage(32, 1),
    Stage(64, 2, pairs=1),
    Stage(128, 2, pairs=2),
    Stage(256, 2, pairs=2),
)
"""The larger network whose out-of-fold predictions refine the labels."""


@keras.saving.register_keras_serializable("ferserve")
class ConvNorm(keras.layers.Layer):  # type: ignore[misc]
    """Convolution without bias, symmetric zero padding, batch normalisation, and optionally ReLU; NHWC float32.

    On the torch backend the same weights go through its fused kernels, which halves the time of a step on a CPU.
    """

    def __init__(self, width: int, kernel: int = 3, stride: int = 1, activate: bool = True, **kwargs: Any) -> None:
        # Keras must not widen bfloat16 activations between the layers.
        super().__init__(autocast=False, **kwargs)
        self.width, self.kernel_size, self.stride, self.activate = width, kernel, stride, activate
        self.conv = keras.layers.Conv2D(
            width, kernel, strides=stride, padding="valid", use_bias=False, kernel_initializer="he_normal",
            data_format="channels_last", name="conv",
        )  # fmt: skip
        self.norm = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name="norm")

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Make the weights of both parts."""
        self.conv.build(input_shape)
        self.norm.build((None, None, None, self.width))
        super().build(input_shape)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """(N, H, W, C) to (N, ceil(H / stride), ceil(W / stride), width)."""
        if keras.backend.backend() == "torch":
            return self._call_torch(inputs, bool(training))
        pad = self.kernel_size // 2
        x = ops.pad(inputs, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
        x = self.norm(self.conv(x), training=training)
        return ops.relu(x) if self.activate else x

    def _call_torch(self, inputs: Any, training: bool) -> Any:
        from torch.nn import functional

        # A permuted NHWC tensor is torch's channels-last memory format: nothing is copied.
        kernel = self.conv.kernel.value.permute(3, 2, 0, 1)
        x = functional.conv2d(inputs.permute(0, 3, 1, 2), kernel, stride=self.stride, padding=self.kernel_size // 2)
        norm = self.norm
        x = functional.batch_norm(
            x, norm.moving_mean.value, norm.moving_variance.value, norm.gamma.value, norm.beta.value,
            training, 1.0 - norm.momentum, norm.epsilon,
        )  # fmt: skip
        x = x.permute(0, 2, 3, 1)
        return functional.relu(x, inplace=True) if self.activate else x

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """Shape of what :meth:`call` returns."""
        rows, columns = (None if n is None else -(-n // self.stride) for n in input_shape[1:3])
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
        x = ConvNorm(stage.width, stage.kernel, stage.stride, name=f"stage{s}_in")(x)
        for p in range(stage.pairs):
            y = ConvNorm(stage.width, name=f"stage{s}_pair{p}_a")(x)
            y = ConvNorm(stage.width, activate=False, name=f"stage{s}_pair{p}_b")(y)
            y = keras.layers.Add(name=f"stage{s}_pair{p}_sum", autocast=False)([x, y])
            x = keras.layers.ReLU(name=f"stage{s}_pair{p}", autocast=False)(y)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    if dropout:
        x = keras.layers.Dropout(dropout, name="dropout")(x)
    # One matrix for all heads: a single small product at the end of the graph.
    logits = keras.layers.Dense(sum(HEADS.values()), name="heads")(x)
    return keras.Model(image, logits, name="emotion_lite")


def split_heads(logits: Any) -> dict[str, Any]:
    """Cut (N, 17) logits, or probabilities, into the heads by name."""
    parts, start = {}, 0
    for name, classes in HEADS.items():
        parts[name] = logits[:, start : start + classes]
        start += classes
    return parts


def count_macs(stages: Sequence[Stage] = LITE, image_size: int = IMAGE_SIZE) -> int:
    """Multiply-accumulates of one image through the convolutions and the heads."""
    macs, channels, size = 0, 1, image_size
    for stage in stages:
        size = -(-size // stage.stride)
        macs += size * size * channels * stage.width * stage.kernel**2
        macs += 2 * stage.pairs * size * size * stage.width**2 * 9
        channels = stage.width
    return macs + channels * sum(HEADS.values())
