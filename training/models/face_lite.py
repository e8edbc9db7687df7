"""face-lite: an anchor-free face detector for one luma plane.

The graph is written once, in :func:`draw`, against a handful of operations. :class:`KerasOps` makes the model to be
trained from it, ``training/face_lite/export.py`` the ONNX graph to be served: the two cannot drift apart.

Plain 3x3 convolutions with channels in multiples of sixteen, because ONNX Runtime runs them at four fifths of what an
AVX-512 core can do while depthwise ones wait for memory (docs/decisions/0020). Three levels at strides 8, 16 and 32,
joined from coarse to fine, as in SCRFD (Guo et al., arXiv:2105.04714) and YuNet (Wu, Peng, Yu, 2023).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import keras

STRIDES = (8, 16, 32)
OUTPUTS = 16
"""Numbers per cell: score, box (4), landmarks (10), and one more so that the count is a multiple of sixteen."""
INPUT_SCALE = 1 / 128
"""Factor of the pixels. No mean is subtracted, so black padding is zero padding."""
PRIOR = -4.0
"""First bias of the score logit: almost every cell shows no face (Lin et al., arXiv:1708.02002, section 4.1)."""

T = TypeVar("T")


@dataclass(frozen=True)
class FaceLiteConfig:
    """Widths (stem, and strides 4, 8, 16, 32) and the number of residual blocks at strides 8, 16, 32."""

    widths: tuple[int, int, int, int, int] = (16, 16, 32, 64, 64)
    blocks: tuple[int, int, int] = (2, 1, 1)


class Ops(Protocol[T]):
    """Operations of a face-lite graph; ``name`` is the key of the weights."""

    def convolution(
        self, x: T, name: str, filters: int, size: int = 3, stride: int = 1, depthwise: bool = False, relu: bool = True
    ) -> T:
        """Convolution with normalisation, and a ReLU if ``relu``."""

    def residual(self, x: T, name: str, filters: int) -> T:
        """ReLU of ``x`` plus a 3x3 convolution of it."""

    def add_upsampled(self, fine: T, coarse: T) -> T:
        """``fine`` plus ``coarse`` with every cell doubled in both directions."""

    def head(self, x: T, name: str) -> T:
        """1x1 convolution with bias to :data:`OUTPUTS` channels."""


def draw(ops: Ops[T], image: T, config: FaceLiteConfig) -> list[T]:
    """The graph: ``image`` in, one map of :data:`OUTPUTS` channels for each of :data:`STRIDES` out."""
    stem, *widths = config.widths
    x = ops.convolution(image, "stem", stem, stride=2)
    x = ops.convolution(x, "down4", widths[0], stride=2)
    levels = []
    for stride, width, blocks in zip(STRIDES, widths[1:], config.blocks, strict=True):
        x = ops.convolution(x, f"down{stride}", width, stride=2)
        for block in range(blocks):
            x = ops.residual(x, f"block{stride}_{block}", width)
        levels.append(x)
    for fine in (1, 0):
        coarse = levels[fine + 1]
        if widths[1:][fine] != widths[1:][fine + 1]:
            coarse = ops.convolution(coarse, f"lateral{STRIDES[fine]}", widths[1:][fine], size=1, relu=False)
        levels[fine] = ops.add_upsampled(levels[fine], coarse)
    maps = []
    for stride, width, x in zip(STRIDES, widths[1:], levels, strict=True):
        if stride == STRIDES[0]:
            x = ops.convolution(x, f"mix{stride}", width)
        else:
            x = ops.convolution(x, f"spread{stride}", width, depthwise=True, relu=False)
            x = ops.convolution(x, f"mix{stride}", width, size=1)
        maps.append(ops.head(x, f"head{stride}"))
    return maps


class KerasOps:
    """Layers of Keras, channels last. A convolution that halves pads at the end only (ONNX: SAME_UPPER)."""

    def convolution(
        self,
        x: Any,
        name: str,
        filters: int,
        size: int = 3,
        stride: int = 1,
        depthwise: bool = False,
        relu: bool = True,
    ) -> Any:
        if depthwise:
            layer = keras.layers.DepthwiseConv2D(size, stride, "same", use_bias=False, name=name)
        else:
            layer = keras.layers.Conv2D(
                filters, size, stride, "same", use_bias=False, kernel_initializer="he_normal", name=name
            )
        x = keras.layers.BatchNormalization(momentum=0.97, epsilon=1e-3, name=f"{name}_norm")(layer(x))
        return keras.layers.ReLU(name=f"{name}_relu")(x) if relu else x

    def residual(self, x: Any, name: str, filters: int) -> Any:
        y = self.convolution(x, name, filters, relu=False)
        return keras.layers.ReLU(name=f"{name}_relu")(keras.layers.Add(name=f"{name}_add")([x, y]))

    def add_upsampled(self, fine: Any, coarse: Any) -> Any:
        return keras.layers.Add()([fine, keras.layers.UpSampling2D(2, interpolation="nearest")(coarse)])

    def head(self, x: Any, name: str) -> Any:
        prior = keras.ops.concatenate([keras.ops.full((1,), PRIOR), keras.ops.zeros((OUTPUTS - 1,))])
        bias = keras.initializers.Constant(keras.ops.convert_to_numpy(prior))
        start = keras.initializers.RandomNormal(stddev=0.01)
        return keras.layers.Conv2D(
            OUTPUTS, 1, bias_initializer=bias, kernel_initializer=start, dtype="float32", name=name
        )(x)


def build_face_lite(height: int, width: int, config: FaceLiteConfig | None = None) -> keras.Model:
    """Model from luma (B, H, W, 1), 0 to 255, to (B, cells, 16): cells row by row, level after level.

    Height and width must be multiples of 32. A cell says: score logit; shift of the box's centre from the cell's in
    strides, x and y; natural logarithm of width and height in strides; five landmarks, their distance from the cell's
    centre in strides; one number without meaning.
    """
    image = keras.Input((height, width, 1), name="luma", dtype="uint8")
    x = keras.layers.Rescaling(INPUT_SCALE, name="scale")(image)
    maps = draw(KerasOps(), x, config or FaceLiteConfig())
    rows = [keras.layers.Reshape((-1, OUTPUTS))(m) for m in maps]
    joined = keras.layers.Concatenate(axis=1)(rows)
    cells = keras.layers.Activation("linear", dtype="float32", name="cells")(joined)
    return keras.Model(image, cells, name="face_lite")
