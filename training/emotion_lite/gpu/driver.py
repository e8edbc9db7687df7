"""The order of a run: tasks that are not finished, each within its share of the time, and the gate between them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

from numpy.typing import NDArray

from training.emotion_lite.gpu.budget import Budget, Progress
from training.emotion_lite.gpu.gpu_plan import ASSUMED_FLOPS, Task
from training.emotion_lite.gpu.state import RunState
from training.errors import TrainingError

START_S = 4.0
"""Seconds that a task takes besides its steps: building, recording, measuring, writing."""
PROBE_STEPS = 60

Outcome = Literal["finished", "out of time"]


class Workshop(Protocol):
    """Trains networks on a device."""

    def train(self, task: Task, progress: Progress) -> tuple[dict[str, float], dict[str, NDArray[Any]]]:
        """Train one task until ``progress`` ends; its figures on PublicTest, and the arrays to keep."""

    def mean_of_teachers(self) -> float:
        """Accuracy of the finished teachers' mean answers on PublicTest (FER2013)."""


def run_tasks(
    tasks: Sequence[Task], state: RunState, budget: Budget, workshop: Workshop, gate: float,
    log: Callable[[str], None] = print,
) -> Outcome:  # fmt: skip
    """Do what is not done yet, as far as the time reaches.

    Raises :class:`TrainingError` if the mean of the teachers is below ``gate``.
    """
    for number, task in enumerate(tasks):
        if task.name in state.done:
            continue
        if task.kind == "student" and not any(t.name in state.done for t in tasks if t.kind == "student"):
            _require_strong(workshop.mean_of_teachers(), gate, log)
        _probe(task, state, budget, workshop)
        to_come = [t for t in tasks[number:] if t.name not in state.done]
        seconds = budget.allot([_expected(t, state) for t in to_come])
        if seconds is None:
            log(f"{budget.spent:.0f} s: no time for {task.name}, {_expected(task, state):.0f} s; go on with --resume")
            return "out of time"
        progress = Progress(task.steps, max(seconds - START_S, 1e-3), budget.clock)
        figures, arrays = workshop.train(task, progress)
        state.speeds[task.kind] = progress.steps_per_second * task.batch * task.flops_per_row
        told = {**figures, "seconds": progress.spent, "steps": progress.done, "of_steps": task.steps}
        state.finish(task.name, told, arrays)
        log(f"{budget.spent:.0f} s: {task.name} " + json.dumps({k: round(v, 4) for k, v in told.items()}))
    return "finished"


def _expected(task: Task, state: RunState) -> float:
    return task.flops / state.speeds.get(task.kind, ASSUMED_FLOPS) + START_S


def _probe(task: Task, state: RunState, budget: Budget, workshop: Workshop) -> None:
    """Measure the speed of the first task of its kind on a few steps, so that times are shared by what is true here."""
    if task.kind in state.speeds or task.steps <= 2 * PROBE_STEPS:
        return
    progress = Progress(PROBE_STEPS, max(budget.left / 20, 1e-3), budget.clock)
    workshop.train(task, progress)
    state.speeds[task.kind] = progress.steps_per_second * task.batch * task.flops_per_row


def _require_strong(accuracy: float, gate: float, log: Callable[[str], None]) -> None:
    log(f"mean of the teachers on PublicTest: {accuracy:.2%}")
    if accuracy < gate:
        raise TrainingError(
            f"the mean of the teachers must reach {gate:.1%} on PublicTest, got {accuracy:.2%}; no student is trained, "
            "which would not pass them; change the plan, or lower --gate"
        )
