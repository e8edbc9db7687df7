"""The three networks of the FER2013 study, layer by layer as it describes them."""

from __future__ import annotations

from typing import Any

from training.models.heads import softmax_heads
from training.models.request import ModelRequest


def dense(request: ModelRequest) -> Any:
    """Dense 64-128: 156,743 parameters for 48x48 luma and seven classes."""
    import keras
    from keras import layers

    image = keras.Input(request.shape, name="input")
    x = layers.Flatten()(image)
    x = _dense_layers(x, request)
    return keras.Model(image, softmax_heads(x, request.heads), name="dense")


def cnn3(request: ModelRequest) -> Any:
    """Convolutions 32 of 5x5, 3x3, 5x5 (valid), pooling after each, dense 64-128: 63,431 parameters."""
    import keras
    from keras import layers

    image = keras.Input(request.shape, name="input")
    x = image
    for side in (5, 3, 5):
        x = layers.Conv2D(32, side, activation="relu", kernel_initializer=request.init)(x)
        x = layers.MaxPooling2D()(x)
    x = _dense_layers(layers.Flatten()(x), request)
    return keras.Model(image, softmax_heads(x, request.heads), name="cnn3")


def _dense_layers(x: Any, request: ModelRequest) -> Any:
    from keras import layers

    for units in (64, 128):
        x = layers.Dense(units, activation="relu", kernel_initializer=request.init)(x)
    return x


def cnn_best(request: ModelRequest) -> Any:
    """Three blocks, 128 of 3x3, 256 of 3x3, 512 of 5x5 (same): convolution with ReLU, batch norm, pooling, dropout.

    Then dense 256 and 512, each with ReLU, batch norm and dropout. 8,434,439 parameters, 3,328 of them not trainable.
    """
    import keras
    from keras import layers

    image = keras.Input(request.shape, name="input")
    x = image
    for filters, side in ((128, 3), (256, 3), (512, 5)):
        x = layers.Conv2D(filters, side, padding="same", activation="relu", kernel_initializer=request.init)(x)
        x = layers.BatchNormalization()(x)
        x = layers.MaxPooling2D()(x)
        x = layers.Dropout(0.25)(x)
    x = layers.Flatten()(x)
    for units in (256, 512):
        x = layers.Dense(units, activation="relu", kernel_initializer=request.init)(x)
        x = layers.BatchNormalization()(x)
        x = layers.Dropout(0.5)(x)
    return keras.Model(image, softmax_heads(x, request.heads), name="cnn_best")
