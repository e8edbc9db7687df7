"""Symmetric linear quantisation of weights (Pascual et al. 2022, Light-FER, doi:10.3390/s22239524, Eq. 2-4)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ferserve.errors import ConfigError


def symmetric_scale(weights: NDArray[np.float32], bits: int = 8) -> NDArray[np.float32]:
    """Eq. 2: size of one step, so that the largest weight of each output channel (last axis) is the last step.

    float32 (channels,); 1 for a channel of zeros.
    """
    if not 2 <= bits <= 16:
        raise ConfigError(f"bits must be from 2 to 16, got {bits}")
    largest = np.abs(weights.reshape(-1, weights.shape[-1])).max(axis=0)
    return np.where(largest > 0, largest / (2 ** (bits - 1) - 1), 1).astype(np.float32)


def quantize_linear(weights: NDArray[np.float32], scale: NDArray[np.float32], bits: int = 8) -> NDArray[np.int16]:
    """Eq. 3: the nearest whole number of steps, symmetric about zero, so that zero stays zero."""
    top = 2 ** (bits - 1) - 1
    steps: NDArray[np.int16] = np.clip(np.rint(weights / scale), -top, top).astype(np.int16)
    return steps


def dequantize_linear(steps: NDArray[np.int16], scale: NDArray[np.float32]) -> NDArray[np.float32]:
    """Eq. 4: the weights of ``steps``, at most half a step off."""
    return (steps * scale).astype(np.float32)


def quantized_weights(weights: NDArray[np.float32], bits: int = 8) -> NDArray[np.float32]:
    """``weights`` rounded to ``bits`` bits and back."""
    scale = symmetric_scale(weights, bits)
    return dequantize_linear(quantize_linear(weights, scale, bits), scale)
