"""Training of face-lite: schedule, averaged weights, and a state from which a stopped run goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from training.detection.batches import SceneBatches
from training.detection.loss import FaceLoss

STATE_FILE = "state.npz"


@dataclass(frozen=True)
class FitOptions:
    """How long and how fast: an epoch has ``steps`` batches; the names are Adam's."""

    epochs: int = 20
    steps: int = 500
    batch_size: int = 32
    size: int = 256
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    decay_part: float = 0.4
    """Last part of the run in which the rate falls to zero; before it the rate stays, so a run can be cut short."""
    average: float = 0.999
    """Momentum of the averaged weights that are exported."""


class FaceModel(keras.Model):  # type: ignore[misc]
    """A network together with the loss that reads :class:`~training.detection.targets.Targets`."""

    loss_of: FaceLoss

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """Keras calls this on every batch."""
        cells = y_pred[0] if isinstance(y_pred, list) else y_pred
        return self.loss_of(y, cells)


class Schedule(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """Linear rise over ``warmup`` steps, constant, then a linear fall to zero over the last part of ``total``."""

    def __init__(self, peak: float, total: int, decay_part: float, warmup: int = 500) -> None:
        self.peak, self.total, self.decay_part, self.warmup = peak, total, decay_part, warmup

    def __call__(self, step: Any) -> Any:
        step = keras.ops.cast(step, "float32")
        rise = (step + 1) / self.warmup
        fall = (self.total - step) / max(1.0, self.total * self.decay_part)
        return self.peak * keras.ops.clip(keras.ops.minimum(rise, fall), 0.0, 1.0)

    def get_config(self) -> dict[str, float]:
        """For Keras, which wants to be able to store it."""
        return {"peak": self.peak, "total": self.total, "decay_part": self.decay_part, "warmup": self.warmup}


def compile_for(network: keras.Model, options: FitOptions) -> FaceModel:
    """The network with loss and optimizer."""
    model = FaceModel(network.inputs[0], network.outputs[0], name=network.name)
    model.loss_of = FaceLoss(options.size, options.size)
    schedule = Schedule(options.learning_rate, options.epochs * options.steps, options.decay_part)
    optimizer = keras.optimizers.AdamW(
        schedule, weight_decay=options.weight_decay, global_clipnorm=10.0, use_ema=True, ema_momentum=options.average
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    model.compile(optimizer=optimizer, jit_compile=False)
    optimizer.build(model.trainable_variables)
    return model


class KeepState(keras.callbacks.Callback):  # type: ignore[misc]
    """Writes everything that training changes at the end of each epoch, in one step, so that no file is ever half."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Keras calls this."""
        save_state(self.model, self._folder, epoch + 1)


def _variables(model: keras.Model) -> list[Any]:
    return [*model.variables, *model.optimizer.variables]


def save_state(model: keras.Model, folder: Path, epochs_done: int) -> None:
    """Weights, averages and moments of Adam into ``folder``."""
    values = {f"v{i}": keras.ops.convert_to_numpy(v) for i, v in enumerate(_variables(model))}
    partial = folder / f"partial.{STATE_FILE}"
    np.savez(partial, epochs_done=np.int64(epochs_done), **values)
    partial.replace(folder / STATE_FILE)


def load_state(model: keras.Model, folder: Path) -> int:
    """Undo :func:`save_state`; returns the epochs done, 0 where the folder holds no state."""
    if not (folder / STATE_FILE).exists():
        return 0
    with np.load(folder / STATE_FILE) as state:
        for i, variable in enumerate(_variables(model)):
            variable.assign(state[f"v{i}"])
        return int(state["epochs_done"])


def average_weights(model: keras.Model, batches: SceneBatches, steps: int = 60) -> None:
    """Put the averaged weights in place, and the statistics of the normalisation that belong to them."""
    model.optimizer.finalize_variable_values(model.trainable_variables)
    for step in range(steps):
        model(batches[step][0], training=True)
