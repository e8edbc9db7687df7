"""Symmetric linear quantisation of weights (Pascual et al. 2022, Light-FER, doi:10.3390/s22239524, Eq. 2-4)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ferserve.errors import ConfigError


def symmetric_scale(weights: NDArray[np.float32], bits: int = 8, per_tensor: bool = False) -> NDArray[np.float32]:
    """Eq. 2: size of one step, so that the largest weight is the last step.

    The largest of the whole tensor if ``per_tensor``, as the work has it, else of each output channel (last axis).
    float32 (1,) or (channels,); 1 if all weights are zero.
    """
    if not 2 <= bits <= 16:
        raise ConfigError(f"bits must be from 2 to 16, got {bits}")
    rows = weights.reshape(-1, 1 if per_tensor else weights.shape[-1])
    largest = np.abs(rows).max(axis=0)
    return np.where(largest > 0, largest / (2 ** (bits - 1) - 1), 1).astype(np.float32)


def quantize_linear(weights: NDArray[np.float32], scale: NDArray[np.float32], bits: int = 8) -> NDArray[np.int16]:
    """Eq. 3: the nearest whole number of steps, symmetric about zero, so that zero stays zero."""
    top = 2 ** (bits - 1) - 1
    steps: NDArray[np.int16] = np.clip(np.rint(weights / scale), -top, top).astype(np.int16)
    return steps


def dequantize_linear(steps: NDArray[np.int16], scale: NDArray[np.float32]) -> NDArray[np.float32]:
    """Eq. 4: the weights of ``steps``, at most half a step off."""
    return (steps * scale).astype(np.float32)


def quantized_weights(weights: NDArray[np.float32], bits: int = 8, per_tensor: bool = False) -> NDArray[np.float32]:
    """``weights`` rounded to ``bits`` bits and back."""
    scale = symmetric_scale(weights, bits, per_tensor)
    return dequantize_linear(quantize_linear(weights, scale, bits), scale)
