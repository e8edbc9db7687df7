"""What a run has finished: one small file that names it, written last, beside the weights."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.common.atomic_write import atomic_write
from training.data.arrays import read_arrays
from training.emotion_lite.gpu.gpu_plan import FINAL
from training.errors import CheckpointError, DataError

STATE = "state.json"


@dataclass
class RunState:
    """Finished tasks of a run in ``folder``, by name, with their figures."""

    folder: Path
    digest: str
    """Of data and plan: a run is resumed on its own only."""
    done: dict[str, dict[str, float]] = field(default_factory=dict)
    speeds: dict[str, float] = field(default_factory=dict)
    """FLOPs per second by kind of task, as measured last."""

    @classmethod
    def open(cls, folder: Path, digest: str, resume: bool) -> RunState:
        """The state in ``folder``, a new one if there is none.

        Raises :class:`CheckpointError` for one that is damaged, of other data or another plan, or not to be resumed.
        """
        path = folder / STATE
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            return cls(folder, digest)
        if not resume:
            raise CheckpointError(f"{folder}: folder must hold no run, got {STATE}; --resume it or move it")
        state = read_state(folder)
        if state.digest != digest:
            raise CheckpointError(f"{path}: data and settings must be those of the run to resume, got others")
        return state

    def finish(self, name: str, figures: dict[str, float], arrays: dict[str, Any]) -> None:
        """Write a finished task: its arrays first, then the state that names it."""
        with atomic_write(self.folder / f"{name}.npz") as partial:
            np.savez(partial, allow_pickle=False, **arrays)
        self.done[name] = figures
        self.save()

    def save(self) -> None:
        """Write the state file."""
        values = {key: value for key, value in asdict(self).items() if key != "folder"}
        with atomic_write(self.folder / STATE) as partial:
            partial.write_text(json.dumps(values, indent=1))

    def best_student(self) -> str:
        """The finished student with the best accuracy on FER2013's labels, the final one aside.

        Raises :class:`CheckpointError` if there is none.
        """
        students = {name: told for name, told in self.done.items() if name.startswith("student-") and name != FINAL}
        found = {name: told["fer2013"] for name, told in students.items()}
        if not found:
            done = ", ".join(self.done) or "nothing"
            raise CheckpointError(f"{self.folder}: run must have finished a student, got {done}")
        return max(found, key=lambda name: found[name])

    def arrays(self, name: str) -> dict[str, NDArray[Any]]:
        """The arrays of a finished task; raises :class:`CheckpointError` if its file is not whole."""
        try:
            return read_arrays(self.folder / f"{name}.npz")
        except DataError as error:
            raise CheckpointError(f"weights of {name} must be a whole file of this run: {error}") from None


def read_state(folder: Path) -> RunState:
    """The state of the run in ``folder``; raises :class:`CheckpointError` if there is none, or a damaged one."""
    path = folder / STATE
    try:
        found = json.loads(path.read_text())
        return RunState(folder, found["digest"], found["done"], found["speeds"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise CheckpointError(f"{path}: state must be a whole one, got {error}; start anew elsewhere") from None
