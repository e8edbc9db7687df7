"""Trains face-lite: schedule, averaged weights, local SGD, and a state from which a stopped run resumes.

A run has rounds; each starts from the averaged weights of the one before, with a warm restart of the rate (Loshchilov
& Hutter, arXiv:1608.03983).
"""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from training.common.checkpoint import require_finite
from training.common.local_sgd import ONE_PROCESS, ProcessGroup
from training.errors import CheckpointError
from training.face_lite.batches import SceneBatches
from training.face_lite.loss import FaceLoss
from training.face_lite.photographs import Photograph

STATE_FILE = "state.npz"


@dataclass(frozen=True)
class FitRound:
    """Options of one round; the names are Adam's."""

    epochs: int = 10
    steps: int = 500
    """Batches per epoch and process."""
    batch_size: int = 32
    """Per process."""
    size: int = 256
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    decay_part: float = 0.4
    """Last part of the run, in which the rate falls to zero; before it the rate is constant."""
    average: float = 0.999
    """Momentum of the averaged weights that are exported."""
    landmark_weight: float = 20.0
    """Weight of the landmarks in the loss; the score has 1."""
    look: float = 0.0
    """Share of the landmarks that the teacher decides on each picture; the fused labels decide the rest."""
    meet_every: int = 16
    """Steps between two averages over the processes, of everything that training changes."""


class FaceModel(keras.Model):  # type: ignore[misc]
    """A network with the loss that reads :class:`~training.face_lite.targets.Targets`."""

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
        """Keras stores this."""
        return {"peak": self.peak, "total": self.total, "decay_part": self.decay_part, "warmup": self.warmup}


def compile_for(network: keras.Model, options: FitRound) -> FaceModel:
    """The network with loss and optimizer."""
    model = FaceModel(network.inputs[0], network.outputs[0], name=network.name)
    model.loss_of = FaceLoss(options.size, options.size, landmark_weight=options.landmark_weight)
    schedule = Schedule(options.learning_rate, options.epochs * options.steps, options.decay_part)
    optimizer = keras.optimizers.AdamW(
        schedule, weight_decay=options.weight_decay, global_clipnorm=10.0, use_ema=True, ema_momentum=options.average
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    model.compile(optimizer=optimizer, jit_compile=False)
    optimizer.build(model.trainable_variables)
    return model


class Meet(keras.callbacks.Callback):  # type: ignore[misc]
    """Averages everything that training changes with the other processes, every few steps and before an epoch ends."""

    def __init__(self, group: ProcessGroup, every: int) -> None:
        super().__init__()
        self._group, self._every = group, every

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Keras calls this."""
        if (batch + 1) % self._every == 0:
            self._meet()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Keras calls this."""
        self._meet()

    def _meet(self) -> None:
        if self._group.size == 1:
            return
        changing = [v for v in _variables(self.model) if str(v.dtype) == "float32"]
        mean = self._group.average([keras.ops.convert_to_numpy(v) for v in changing])
        for variable, value in zip(changing, mean, strict=True):
            variable.assign(value)


class KeepState(keras.callbacks.Callback):  # type: ignore[misc]
    """Writes everything that training changes at the end of each epoch, in one step, so that no file is ever half."""

    def __init__(self, folder: Path, round_: int) -> None:
        super().__init__()
        self._folder, self._round = folder, round_

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Keras calls this."""
        require_finite("loss", float((logs or {}).get("loss", 0.0)), epoch)
        save_state(self.model, self._folder, Progress(self._round, epoch + 1))


@dataclass(frozen=True)
class Progress:
    """Position in a run: its current round, from 0, and the epochs done of it."""

    round: int = 0
    epochs: int = 0


def _variables(model: keras.Model) -> list[Any]:
    """Everything that training changes."""
    return [*model.variables, *model.optimizer.variables]


def save_state(model: keras.Model, folder: Path, progress: Progress) -> None:
    """Weights, averages and moments of Adam into ``folder``."""
    values = {f"v{i}": keras.ops.convert_to_numpy(v) for i, v in enumerate(_variables(model))}
    partial = folder / f"partial.{STATE_FILE}"
    np.savez(partial, round=np.int64(progress.round), epochs_done=np.int64(progress.epochs), **values)
    partial.replace(folder / STATE_FILE)


@contextlib.contextmanager
def _state_in(folder: Path) -> Iterator[Mapping[str, Any]]:
    """The arrays of the state; every fault in them becomes a :class:`CheckpointError`."""
    path = folder / STATE_FILE
    try:
        with path.open("rb") as file, np.load(file) as state:
            yield state
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise CheckpointError(f"{path}: state must be a whole one of this network, got {error}") from None


def read_progress(folder: Path) -> Progress:
    """Progress of the run in ``folder``; its start if there is no state.

    Raises :class:`CheckpointError` if the state is damaged.
    """
    if not (folder / STATE_FILE).exists():
        return Progress()
    with _state_in(folder) as state:
        return Progress(int(state["round"]), int(state["epochs_done"]))


def restore_state(model: keras.Model, folder: Path) -> None:
    """Undo :func:`save_state`; raises :class:`CheckpointError` for a state that is damaged or of another network."""
    with _state_in(folder) as state:
        for i, variable in enumerate(_variables(model)):
            variable.assign(state[f"v{i}"])


def fit_rounds(
    network: keras.Model,
    rounds: Sequence[FitRound],
    learnt: Sequence[Photograph],
    folder: Path,
    seed: int,
    group: ProcessGroup = ONE_PROCESS,
    teacher: Path | None = None,
) -> None:
    """Train ``network`` through the remaining ``rounds``; ``folder`` holds the state after each epoch."""
    begun = read_progress(folder)
    for number in range(begun.round, len(rounds)):
        options, done = rounds[number], 0
        model = compile_for(network, options)
        if number == begun.round and begun.epochs:
            restore_state(model, folder)
            done = begun.epochs
        batches = SceneBatches(
            learnt,
            options.batch_size,
            options.size,
            options.steps,
            seed + number,
            first_epoch=done,
            group=group,
            teacher=teacher,
            look=options.look,
        )
        callbacks = [Meet(group, options.meet_every), *([KeepState(folder, number)] if group.rank == 0 else [])]
        verbose = 2 if group.rank == 0 else 0
        model.fit(
            batches, epochs=options.epochs, initial_epoch=done, callbacks=callbacks, verbose=verbose, shuffle=False
        )
        model.optimizer.finalize_variable_values(model.trainable_variables)


def load_average(network: keras.Model, options: FitRound, folder: Path, batches: SceneBatches, steps: int) -> None:
    """Give ``network`` the averaged weights of the state in ``folder``, with normalisation statistics that fit them.

    ``options`` are those of the state's round.
    """
    model = compile_for(network, options)
    restore_state(model, folder)
    model.optimizer.finalize_variable_values(model.trainable_variables)
    for step in range(steps):
        model(batches[step][0], training=True)
