"""Reseeds dropout per epoch, so that a resumed run draws the same numbers as an uninterrupted one."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

STATE = "seed_generator_state"
"""Keras's name for the random state of a layer; it is no weight, so checkpoints lack it."""


def reseed(model: Any, *numbers: int) -> None:
    """Seed the random state of every layer of ``model`` from ``numbers``."""
    states = [variable for variable in model.variables if variable.name == STATE]
    # Half the range, since some backends hold them as int32.
    own, *seeds = (int(seed) >> 1 for seed in np.random.SeedSequence(numbers).generate_state(1 + len(states)))
    for state, seed in zip(states, seeds, strict=True):
        state.assign([seed, 0])
    if keras.backend.backend() == "torch":  # dropout without its own seed draws from torch's
        import torch

        torch.manual_seed(own)


class Reseed(keras.callbacks.Callback):  # type: ignore[misc]
    """Reseeds at the start of each epoch."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._seed = seed

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Called by Keras."""
        reseed(self.model, self._seed, epoch)
