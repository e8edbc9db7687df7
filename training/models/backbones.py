"""Networks of keras.applications as feature extractors, with ImageNet weights if available."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from training.errors import WeightsError
from training.models.heads import softmax_heads
from training.models.request import ModelRequest
from training.models.weight_files import keras_folder, say_weights

WEIGHT_FILES = {
    "VGG16": "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
    "ResNet50": "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
    "InceptionV3": "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
    "Xception": "xception_weights_tf_dim_ordering_tf_kernels_notop.h5",
}
"""Network of keras.applications to the file that Keras looks for in its models folder."""


@dataclass(frozen=True)
class Head:
    """Layers on top of the extractor: dropout, pooling or flattening, then dense layers with ReLU."""

    flatten: bool = False
    units: tuple[int, ...] = ()
    dropout: float = 0.0
    """Behind each dense layer; behind the pooling if there is none."""
    batch_norm: bool = False
    """Behind each dense layer, before its dropout."""
    extractor_dropout: float = 0.0
    """Behind the extractor's last layer."""


def transfer(network: str, head: Head, frozen: bool = True) -> Callable[[ModelRequest], Any]:
    """A builder: ``network`` with a new head. Pretrained weights are frozen if ``frozen``; random ones never are."""
    return partial(_transfer, network, head, frozen)


def _transfer(network: str, head: Head, frozen: bool, request: ModelRequest) -> Any:
    import keras
    from keras import layers

    backbone = load_backbone(network, request)
    backbone.trainable = not (frozen and request.weights != "none")
    x = backbone.output
    if head.extractor_dropout:
        x = layers.Dropout(head.extractor_dropout)(x)
    x = layers.Flatten()(x) if head.flatten else layers.GlobalAveragePooling2D()(x)
    if not head.units and head.dropout:
        x = layers.Dropout(head.dropout)(x)
    for units in head.units:
        x = layers.Dense(units, activation="relu", kernel_initializer=request.init)(x)
        x = layers.BatchNormalization()(x) if head.batch_norm else x
        x = layers.Dropout(head.dropout)(x) if head.dropout else x
    return keras.Model(backbone.inputs[0], softmax_heads(x, request.heads), name=network.lower())


def load_backbone(network: str, request: ModelRequest) -> Any:
    """``network`` without its classifier; raises :class:`WeightsError` that names the missing file and its folder."""
    import keras

    image = keras.Input(request.shape, name="input")
    make = partial(getattr(keras.applications, network), include_top=False, input_tensor=image)
    if request.weights not in ("imagenet", "none"):
        return _from_file(network, make(weights=None), Path(request.weights))
    try:
        weights = "imagenet" if request.weights == "imagenet" else None
        backbone = make(weights=weights)
    except Exception as error:
        if "URL fetch failure" not in str(error):
            raise
        folder = keras_folder()
        raise WeightsError(
            f"weights imagenet of {network} must be reachable through keras.applications, got {_first_line(error)}; "
            f"put {WEIGHT_FILES[network]} into {folder}, or name it with --weights FILE, or pass --weights none"
        ) from None
    if weights is not None:
        say_weights(keras_folder() / WEIGHT_FILES[network])
    return backbone


def _from_file(network: str, backbone: Any, path: Path) -> Any:
    if not path.is_file():
        raise WeightsError(f"weights must be imagenet, none or a file, got {path}, which is not there")
    try:
        backbone.load_weights(path)
    except Exception as error:
        raise WeightsError(
            f"{path}: weights must fit {backbone.name} without its classifier, got {_first_line(error)}; name "
            f"{WEIGHT_FILES[network]}, or pass --weights none"
        ) from None
    say_weights(path)
    return backbone


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
