"""Temperature scaling: one number per head that calibrates its confidence."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.evaluation.metrics import expected_calibration_error

Logits = NDArray[np.floating[Any]]


def fit_temperature(logits: Logits, labels: NDArray[np.integer[Any]]) -> float:
    """The temperature with the least negative log likelihood of ``labels`` (N,) under ``logits`` (N, K).

    Guo et al. 2017, arXiv:1706.04599, section 4.2. The likelihood has one minimum in 1 / temperature, so bisection of
    its derivative finds it.
    """
    wanted = logits[np.arange(len(labels)), labels]

    def slope(inverse: float) -> float:
        scaled = logits * inverse
        weights = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        return float(((weights * logits).sum(axis=1) - wanted).mean())

    low, high = 0.02, 50.0
    for _ in range(60):
        middle = (low * high) ** 0.5
        low, high = (low, middle) if slope(middle) > 0 else (middle, high)
    return float(1 / (low * high) ** 0.5)


def cross_fitted_error(logits: Logits, labels: NDArray[np.integer[Any]], parts: int = 2) -> float:
    """Calibration error of ``logits`` (N, K), each part scaled by a temperature fitted on the other rows.

    So no row measures a temperature that it helped to fit. Logarithms of calibrated probabilities are logits too: the
    temperature that they contain cancels out.
    """
    confidence, correct = np.empty(len(labels)), np.empty(len(labels), np.bool_)
    part = np.arange(len(labels)) % parts
    for k in range(parts):
        own = part == k
        given = softmax(logits[own], fit_temperature(logits[~own], labels[~own]))
        confidence[own], correct[own] = given.max(axis=1), given.argmax(axis=1) == labels[own]
    return expected_calibration_error(confidence, correct)


def softmax(logits: Logits, temperature: float = 1.0) -> NDArray[np.float32]:
    """Probabilities (N, K) of logits divided by ``temperature``."""
    scaled = logits / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)
