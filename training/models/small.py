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
    x = layers.Dense(64, activation="relu")(x)
    x = layers.Dense(128, activation="relu")(x)
    return keras.Model(image, softmax_heads(x, request.heads), name="dense")


def cnn3(request: ModelRequest) -> Any:
    """Convolutions 32 of 5x5, 3x3, 5x5 (valid), pooling after each, dense 64-128: 63,431 parameters."""
    import keras
    from keras import layers

    image = keras.Input(request.shape, name="input")
    x = image
    for side in (5, 3, 5):
        x = layers.Conv2D(32, side, activation="relu")(x)
        x = layers.MaxPooling2D()(x)
    x = layers.Flatten()(x)
    x = layers.Dense(64, activation="relu")(x)
    x = layers.Dense(128, activation="relu")(x)
    return keras.Model(image, softmax_heads(x, request.heads), name="cnn3")


def cnn_best(request: ModelRequest) -> Any:
    """Convolutions 128 of 3x3, 256 of 3x3, 512 of 5x5 (same), dense 256 and 512, batch norm and dropout throughout:
    8,434,439 parameters, 3,328 of them not trainable.
    """
    import keras
    from keras import layers

    image = keras.Input(request.shape, name="input")
    x = image
    for filters, side in ((128, 3), (256, 3), (512, 5)):
        x = layers.Conv2D(filters, side, padding="same")(x)
        x = layers.BatchNormalization()(x)
        x = layers.Activation("relu")(x)
        x = layers.MaxPooling2D()(x)
        x = layers.Dropout(0.25)(x)
    x = layers.Flatten()(x)
    for units in (256, 512):
        x = layers.Dense(units)(x)
        x = layers.BatchNormalization()(x)
        x = layers.Activation("relu")(x)
        x = layers.Dropout(0.5)(x)
    return keras.Model(image, softmax_heads(x, request.heads), name="cnn_best")
