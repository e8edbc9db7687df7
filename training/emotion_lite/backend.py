"""Differences between Keras's backends: bfloat16, gradients, variables as arrays."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def fast_arithmetic() -> contextlib.AbstractContextManager[Any]:
    """bfloat16 convolutions if the backend is torch; weights, sums and statistics stay float32."""
    if keras.backend.backend() != "torch":
        return contextlib.nullcontext()
    import torch

    context: contextlib.AbstractContextManager[Any] = torch.autocast("cpu", torch.bfloat16)
    return context


def variable_arrays(variables: Sequence[Any]) -> list[Floats]:
    """Copies of Keras variables as arrays, on any backend."""
    if keras.backend.backend() == "torch":
        return [variable.value.detach().cpu().numpy().copy() for variable in variables]
    return [np.array(variable.numpy()) for variable in variables]


def no_gradients() -> contextlib.AbstractContextManager[Any]:
    """Inference without gradients if the backend is torch; TensorFlow records none outside a tape."""
    if keras.backend.backend() != "torch":
        return contextlib.nullcontext()
    import torch

    context: contextlib.AbstractContextManager[Any] = torch.no_grad()
    return context
