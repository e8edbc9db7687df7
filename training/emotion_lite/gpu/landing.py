"""A student that was trained on a GPU, as the Keras model that the recipe exports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from training.data.arrays import read_arrays
from training.errors import CheckpointError
from training.models.emotion_lite import MirrorConvNorm, build_model
from training.models.emotion_stages import Stage


def student_model(path: Path) -> tuple[Any, tuple[Stage, ...]]:
    """The Keras model in a student's file, and its shape; raises :class:`CheckpointError` for any other file."""
    try:
        arrays = read_arrays(path)
        stages = tuple(Stage(**stage) for stage in json.loads(str(arrays.pop("stages"))))
        model = build_model(stages)
        for layer in model.layers:
            if isinstance(layer, MirrorConvNorm):
                norm = layer.norm
                _assign(layer.half, arrays[f"{layer.name}.half"])
                for name in ("gamma", "beta", "moving_mean", "moving_variance"):
                    _assign(getattr(norm, name), arrays[f"{layer.name}.{name}"])
        heads = model.get_layer("heads")
        _assign(heads.kernel, arrays["heads.kernel"])
        _assign(heads.bias, arrays["heads.bias"])
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: file must hold a whole student of a GPU run, got {error}") from None
    return model, stages


def _assign(variable: Any, value: NDArray[Any]) -> None:
    if tuple(variable.shape) != value.shape:
        raise ValueError(f"{variable.path} of shape {value.shape}")
    variable.assign(value)
