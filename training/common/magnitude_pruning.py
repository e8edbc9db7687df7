"""Magnitude pruning: the smallest weights gradually become zero while the model trains.

Schedule: Zhu & Gupta 2017, arXiv:1710.01878, Eq. 1. Ratio R: Pascual et al. 2022 (Light-FER),
doi:10.3390/s22239524, Eq. 1.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ferserve.errors import ConfigError


def polynomial_sparsity(step: int, begin: int, end: int, final: float, initial: float = 0.0, power: int = 3) -> float:
    """Share of zero weights at ``step``: from ``initial`` at ``begin`` to ``final`` at ``end``."""
    if step < begin:
        return 0.0
    progress = min(1.0, (step - begin) / max(end - begin, 1))
    return final + (initial - final) * (1.0 - progress) ** power


def prunable_kernels(model: Any) -> list[Any]:
    """Kernels of dense and convolution layers, except the last layer's; biases are not pruned."""
    kernels = [
        variable
        for variable in model.trainable_variables
        if variable.name.endswith("kernel") and len(variable.shape) in (2, 4)
    ]
    return kernels[:-1] if len(kernels) > 1 else kernels


def magnitude_mask(weights: NDArray[np.float32], sparsity: float) -> NDArray[np.bool_]:
    """True for the weights that stay: all but the smallest ``sparsity`` share by magnitude."""
    zeros = round(sparsity * weights.size)
    mask = np.ones(weights.size, np.bool_)
    mask[np.argpartition(np.abs(weights).ravel(), max(zeros - 1, 0))[:zeros]] = False
    return mask.reshape(weights.shape)


def pruning_ratio(model: Any) -> float:
    """R of Light-FER, Eq. 1: weights of the unpruned model over those that are not zero, in prunable kernels."""
    total = sum(int(np.prod(kernel.shape)) for kernel in prunable_kernels(model))
    alive = sum(int(np.count_nonzero(np.asarray(kernel))) for kernel in prunable_kernels(model))
    return total / max(alive, 1)


class MagnitudePruning(keras.callbacks.Callback):  # type: ignore[misc]
    """Prunes while Keras trains: updates masks every ``every`` steps and applies them after each step."""

    def __init__(self, sparsity: float, begin: int, end: int, every: int = 100) -> None:
        super().__init__()
        if not 0 <= sparsity < 1:
            raise ConfigError(f"sparsity must be from 0 to below 1, got {sparsity}")
        self._sparsity, self._begin, self._end = sparsity, begin, end
        self._every = max(1, min(every, (end - begin) // 10))
        self._masks: list[tuple[Any, Any]] = []

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """In a resumed run, take the masks from the weights that are zero."""
        if int(self.model.optimizer.iterations) > self._begin:
            self._masks = [
                (kernel, keras.ops.cast(keras.ops.not_equal(kernel, 0), kernel.dtype))
                for kernel in prunable_kernels(self.model)
            ]

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Apply the masks, and update them on schedule."""
        step = int(self.model.optimizer.iterations)
        if step >= self._begin and (step <= self._end or not self._masks) and step % self._every == 0:
            self._draw(polynomial_sparsity(step, self._begin, self._end, self._sparsity))
        for kernel, mask in self._masks:
            kernel.assign(kernel * mask)

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """End at the final sparsity, however short the training was."""
        self.finish()

    def finish(self) -> None:
        """Prune the model to the final sparsity now."""
        self._draw(self._sparsity)
        for kernel, mask in self._masks:
            kernel.assign(kernel * mask)

    def _draw(self, sparsity: float) -> None:
        self._masks = []
        for kernel in prunable_kernels(self.model):
            mask = magnitude_mask(np.asarray(kernel), sparsity)
            self._masks.append((kernel, keras.ops.convert_to_tensor(mask, kernel.dtype)))
