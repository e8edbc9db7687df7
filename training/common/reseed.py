"""Dropout that depends on seed and epoch alone, as order and augmentation do."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

STATE = "seed_generator_state"
"""Keras's name for the variable of a layer that draws; it is no weight, so no checkpoint holds it."""


def reseed(model: Any, *numbers: int) -> None:
    """Let every layer of ``model`` that draws begin anew, at a place that ``numbers`` tell."""
    states = [variable for variable in model.variables if variable.name == STATE]
    # Half of the range: some backends hold them as int32.
    own, *seeds = (int(seed) >> 1 for seed in np.random.SeedSequence(numbers).generate_state(1 + len(states)))
    for state, seed in zip(states, seeds, strict=True):
        state.assign([seed, 0])
    if keras.backend.backend() == "torch":  # where dropout without a seed of its own draws from torch's
        import torch

        torch.manual_seed(own)


class Reseed(keras.callbacks.Callback):  # type: ignore[misc]
    """Reseeds as each epoch begins, so that a resumed run draws what a whole one does."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._seed = seed

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Keras calls this."""
        reseed(self.model, self._seed, epoch)
