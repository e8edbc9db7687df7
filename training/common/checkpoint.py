"""Atomic checkpoints: model files first, then the one small state file that names them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import keras

from training.common.atomic_write import atomic_write
from training.errors import CheckpointError, TrainingError

STATE = "state.json"


@dataclass
class CheckpointState:
    """Content of ``state.json``: the run, its progress, and its files."""

    recipe: str
    seed: int
    epoch: int = 0
    """Finished epochs."""
    last: str = ""
    best: str = ""
    best_value: float | None = None
    history: dict[str, list[float]] = field(default_factory=dict)
    plateau: dict[str, float] = field(default_factory=dict)
    """State of the learning-rate schedule."""

    @property
    def best_epoch(self) -> int:
        """The epoch of ``best``, counted from 1."""
        return int(self.best.removeprefix("epoch-").removesuffix(".keras"))


def load_state(folder: Path, recipe: str, seed: int) -> CheckpointState | None:
    """The state in ``folder``, None if there is no checkpoint; raises :class:`CheckpointError`."""
    path = folder / STATE
    if not path.exists():
        return None
    try:
        state = CheckpointState(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointError(f"{path}: state must be a whole checkpoint state, got {error}") from None
    if state.recipe != recipe:
        raise CheckpointError(f"{path}: recipe must be {recipe}, got {state.recipe}; choose another --out")
    if state.seed != seed:
        raise CheckpointError(f"{path}: seed must be {state.seed} as in the run to resume, got {seed}")
    for name in (state.last, state.best):
        if name and not (folder / name).is_file():
            raise CheckpointError(
                f"{folder / name}: checkpoint must be there, got nothing; start anew in another --out"
            )
    return state


def load_model(path: Path) -> Any:
    """A saved Keras model; raises :class:`CheckpointError` that names a damaged file."""
    try:
        return keras.models.load_model(path)
    except Exception as error:
        raise CheckpointError(f"{path}: model must be a whole .keras file, got {error}") from None


def save_bare(model: Any, *paths: Path) -> None:
    """Save ``model`` without its optimiser, which would triple a ``.keras`` file."""
    bare = type(model).from_config(model.get_config())
    bare.set_weights(model.get_weights())
    for path in paths:
        bare.save(path)


def require_finite(name: str, loss: float, epoch: int) -> None:
    """Raise :class:`TrainingError` for a loss of nan or infinity, before its weights replace good ones.

    ``epoch`` counts from 0.
    """
    if not math.isfinite(loss):
        raise TrainingError(
            f"{name} must be a finite number, got {loss} in epoch {epoch + 1}: the training diverged; "
            "earlier checkpoints are whole; look at the data, or start with another --seed in another --out"
        )


class Checkpoint(keras.callbacks.Callback):  # type: ignore[misc]
    """Saves model and optimiser after each epoch, and keeps the best one by ``monitor`` (the last one if None)."""

    def __init__(self, folder: Path, state: CheckpointState, monitor: str | None, plateau: Any = None) -> None:
        super().__init__()
        self._folder, self.state, self._monitor, self._plateau = folder, state, monitor, plateau
        folder.mkdir(parents=True, exist_ok=True)

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Restore the schedule's state, which Keras cleared just before."""
        for name, value in self.state.plateau.items():
            setattr(self._plateau, name, value)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write the checkpoint of this epoch.

        Raises :class:`CheckpointError` if it cannot be written, :class:`TrainingError` if the epoch diverged; the
        previous one stays whole.
        """
        logs = dict(logs or {})
        logs.setdefault("learning_rate", float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)))
        for key in ("loss", "val_loss"):
            require_finite(key, float(logs.get(key, 0.0)), epoch)
        state = self.state
        name = f"epoch-{epoch + 1:04d}.keras"
        self._write(name, self.model.save)
        state.epoch, state.last = epoch + 1, name
        for key, figure in logs.items():
            state.history.setdefault(key, []).append(float(figure))
        if self._monitor is None or self._improves(float(logs[self._monitor])):
            state.best = name
        if self._plateau is not None:
            state.plateau = {key: float(getattr(self._plateau, key)) for key in ("best", "wait", "cooldown_counter")}
        self._write(STATE, lambda path: path.write_text(json.dumps(asdict(state), indent=1)))
        for old in self._folder.glob("epoch-*.keras"):
            if old.name not in (state.last, state.best):
                old.unlink()

    def _improves(self, value: float) -> bool:
        """Whether this epoch is the best so far, and remember it if so; accuracy should rise, loss should fall."""
        best, rises = self.state.best_value, str(self._monitor).endswith("accuracy")
        if best is None or (value > best if rises else value < best):
            self.state.best_value = value
            return True
        return False

    def _write(self, name: str, write: Callable[[Path], Any]) -> None:
        path = self._folder / name
        try:
            with atomic_write(path) as partial:
                write(partial)
        except Exception as error:
            raise self._failed(path, error) from error

    def _failed(self, path: Path, error: Exception) -> CheckpointError:
        good = load_state(self._folder, self.state.recipe, self.state.seed)
        kept = f"the checkpoint of epoch {good.epoch} is whole" if good else "no earlier checkpoint was written"
        return CheckpointError(
            f"{path}: checkpoint must be written whole, got {error}; {kept}: make room, then run again with --resume"
        )
