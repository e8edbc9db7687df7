"""ResNet18 and ResNeXt50-32x4d (He et al. 2016, arXiv:1512.03385; Xie et al. 2017, arXiv:1611.05431).

Built with torchvision's paddings and layer names, so that the ImageNet weights that the field shares as safetensors
(``resnet18.tv_in1k``, ``resnext50_32x4d.tv_in1k``) load without torch.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.errors import WeightsError
from training.models.heads import softmax_heads
from training.models.request import ModelRequest
from training.models.safetensors import read_safetensors
from training.models.torch_file import read_torch
from training.models.weight_files import find_torchvision, say_weights

TENSOR_NAMES = {
    "kernel": "weight",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
"""Keras's name of a layer's variable to torch's."""


TORCH_STARTS = (b"PK", b"\x80\x02")
"""First bytes of a state dict: of a zip, or of a pickle."""


def resnet18(request: ModelRequest) -> Any:
    """Basic blocks 2-2-2-2."""
    return _resnet(request, "resnet18", (2, 2, 2, 2), _basic_block)


def resnext50(request: ModelRequest) -> Any:
    """Bottlenecks 3-4-6-3 of 32 groups, 4 channels each."""
    return _resnet(request, "resnext50_32x4d", (3, 4, 6, 3), _bottleneck)


def _resnet(request: ModelRequest, name: str, depths: tuple[int, ...], block: Callable[..., Any]) -> Any:
    import keras
    from keras import layers

    image = keras.Input(request.shape, name="input")
    x = layers.Activation("relu")(_conv_bn(image, "conv1", "bn1", 64, 7, 2))
    x = layers.MaxPooling2D(3, 2)(layers.ZeroPadding2D(1)(x))
    for stage, depth in enumerate(depths):
        for index in range(depth):
            stride = 2 if stage and not index else 1
            x = block(x, f"layer{stage + 1}.{index}", 64 << stage, stride)
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, softmax_heads(x, request.heads), name=name)
    if request.weights != "none":
        load_torchvision(model, find_torchvision(name) if request.weights == "imagenet" else Path(request.weights))
    return model


def _conv_bn(x: Any, conv: str, norm: str, filters: int, side: int, stride: int = 1, groups: int = 1) -> Any:
    from keras import layers

    from training.models.grouped import GroupedConv2D

    if side > 1:
        x = layers.ZeroPadding2D(side // 2)(x)
    kind = layers.Conv2D if groups == 1 else partial(GroupedConv2D, groups=groups)
    x = kind(filters, side, stride, use_bias=False, name=conv)(x)
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=norm)(x)


def _shortcut(x: Any, name: str, filters: int, stride: int) -> Any:
    if stride == 1 and x.shape[-1] == filters:
        return x
    return _conv_bn(x, f"{name}.downsample.0", f"{name}.downsample.1", filters, 1, stride)


def _basic_block(x: Any, name: str, filters: int, stride: int) -> Any:
    from keras import layers

    y = layers.Activation("relu")(_conv_bn(x, f"{name}.conv1", f"{name}.bn1", filters, 3, stride))
    y = _conv_bn(y, f"{name}.conv2", f"{name}.bn2", filters, 3)
    return layers.Activation("relu")(layers.Add()([y, _shortcut(x, name, filters, stride)]))


def _bottleneck(x: Any, name: str, filters: int, stride: int) -> Any:
    from keras import layers

    width, out = filters * 2, filters * 4
    y = layers.Activation("relu")(_conv_bn(x, f"{name}.conv1", f"{name}.bn1", width, 1))
    y = layers.Activation("relu")(_conv_bn(y, f"{name}.conv2", f"{name}.bn2", width, 3, stride, groups=32))
    y = _conv_bn(y, f"{name}.conv3", f"{name}.bn3", out, 1)
    return layers.Activation("relu")(layers.Add()([y, _shortcut(x, name, out, stride)]))


def _read(path: Path) -> dict[str, NDArray[np.generic]]:
    if not path.is_file():
        raise WeightsError(f"weights must be imagenet, none or a file, got {path}, which is not there")
    with path.open("rb") as file:
        start = file.read(2)
    return read_torch(path) if start in TORCH_STARTS else read_safetensors(path)


def load_torchvision(model: Any, path: Path) -> None:
    """Fill every layer but the heads from a safetensors file, or a state dict of torch, with torchvision's names.

    Raises :class:`WeightsError` that names the file and the tensor at fault.
    """
    tensors = _read(path)
    for layer in model.layers:
        if layer.name in model.output_names:
            continue
        for variable in layer.variables:
            key = f"{layer.name}.{TENSOR_NAMES[variable.name]}"
            if key not in tensors:
                raise WeightsError(f"{path}: tensors must hold {key}, got none; name {model.name}'s")
            value = tensors[key]
            value = value.transpose(2, 3, 1, 0) if value.ndim == 4 else value
            if value.shape != tuple(variable.shape):
                raise WeightsError(f"{path}: {key} must have shape {tuple(variable.shape)}, got {value.shape}")
            variable.assign(value)
    say_weights(path)
