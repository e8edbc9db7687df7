"""The order of a run, its time and its gate, on a clock that only work moves on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from training.emotion_lite.gpu.budget import Budget, Progress
from training.emotion_lite.gpu.driver import START_S, run_tasks
from training.emotion_lite.gpu.families import ENLARGED, MIRRORED, PLAIN, RESIDUAL, SQUEEZED
from training.emotion_lite.gpu.gpu_plan import ASSUMED_FLOPS, FINAL, LARGE, SHAPES, Plan, Task
from training.emotion_lite.gpu.state import RunState
from training.errors import CheckpointError, TrainingError
from training.models.emotion_stages import LITE, count_macs

PLAN = Plan()
TASKS = PLAN.tasks(27_510, 7_000, 3_300)


class Bench:
    """A workshop whose steps take the time that a device of so many FLOPs per second takes."""

    def __init__(self, flops: float = ASSUMED_FLOPS, strength: float = 0.8, dies_in: str = "") -> None:
        self.now, self.flops, self.strength, self.dies_in = 0.0, flops, strength, dies_in
        self.trained: list[str] = []

    def clock(self) -> float:
        return self.now

    def train(self, task: Task, progress: Progress) -> tuple[dict[str, float], dict[str, NDArray[Any]]]:
        step = 0
        while progress.share(step) < 1:
            step += 10
            self.now += 10 * task.batch * task.flops_per_row / self.flops
            if task.name == self.dies_in and step > 100:
                raise KeyboardInterrupt
        if step > 60:  # a probe is shorter
            self.trained.append(task.name)
        return {"fer2013": 0.7 + len(self.trained) / 1000}, {"weights": np.zeros(1)}

    def mean_of_teachers(self) -> float:
        return self.strength


def run(folder: Path, bench: Bench, minutes: float, digest: str = "a") -> tuple[str, RunState]:
    state = RunState.open(folder, digest, resume=True)
    return run_tasks(TASKS, state, Budget(60 * minutes, bench.clock), bench, PLAN.gate, lambda line: None), state


def test_every_row_has_a_teacher_that_did_not_see_it() -> None:
    for plan in (PLAN, LARGE):
        teachers = [task for task in plan.tasks(100, 0, 10) if task.kind == "teacher"]
        folds = [task.fold for task in teachers]
        assert sorted(set(folds)) == list(range(plan.folds))
        assert len(folds) == len(plan.teachers)


def test_students_stay_within_the_bundled_networks_budget() -> None:
    assert SHAPES["lite"] == LITE
    assert all(count_macs(shape) <= 33e6 for shape in SHAPES.values())


def test_a_teachers_work_is_counted() -> None:
    """By hand: area x inputs x outputs x kernel, layer by layer."""
    stages = [(48, 64, 64), (24, 64, 128), (12, 128, 256)]
    expected = 48 * 48 * 9 * 64
    for side, before, width in stages:
        expected += side * side * 9 * (before * width + 3 * width * width) + (side < 48) * side * side * before * width
    expected += 36 * (9 * (256 * 512 + 512 * 512) + 256 * 512) + 512 * 17
    assert RESIDUAL.macs == expected
    assert min(family.macs for family in (RESIDUAL, SQUEEZED, PLAIN, ENLARGED, MIRRORED)) > 0.85e9


@pytest.mark.parametrize("minutes", [9, 14, 60])
@pytest.mark.parametrize("speed", [0.3, 1.0, 3.0])
def test_a_run_keeps_its_time(minutes: float, speed: float, tmp_path: Path) -> None:
    bench = Bench(ASSUMED_FLOPS * speed)
    outcome, state = run(tmp_path, bench, minutes)
    assert bench.now <= 60 * minutes * 1.02
    assert list(state.done) == [task.name for task in TASKS][: len(state.done)]
    assert (outcome == "finished") == (len(state.done) == len(TASKS))
    if speed * minutes >= 14:
        assert outcome == "finished"


def test_what_does_not_fit_is_done_by_the_next_call(tmp_path: Path) -> None:
    first, second = Bench(), Bench()
    outcome, state = run(tmp_path, first, 5)
    assert outcome == "out of time"
    assert {task.name for task in TASKS if task.kind == "teacher"} <= set(state.done)
    outcome, state = run(tmp_path, second, 12)
    assert outcome == "finished"
    assert not set(first.trained) & set(second.trained)
    assert state.best_student() == "student-deep"


def test_a_kill_loses_the_task_that_it_hit(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Bench(dies_in="teacher2-plain"), 30)
    again = Bench()
    outcome, _ = run(tmp_path, again, 30)
    assert outcome == "finished"
    assert again.trained == [task.name for task in TASKS][2:]


def test_weak_teachers_end_the_run_before_a_student(tmp_path: Path) -> None:
    bench = Bench(strength=0.729)
    with pytest.raises(TrainingError, match=r"mean of the teachers must reach 73.0% on PublicTest, got 72.90%"):
        run(tmp_path, bench, 30)
    assert len(bench.trained) == 4


def test_a_task_is_squeezed_a_little_and_not_cut_off() -> None:
    assert Budget(100, lambda: 0.0).allot([60.0, 50.0]) == pytest.approx(100 * 60 / 110)
    assert Budget(100, lambda: 0.0).allot([116.0]) is None
    assert Budget(100, lambda: 0.0).allot([50.0, 200.0]) == pytest.approx(100)


def test_a_schedule_ends_by_steps_or_by_time() -> None:
    now = [0.0]
    progress = Progress(100, 10.0, lambda: now[0])
    assert progress.share(0) == 0
    now[0] = 2.0
    assert progress.share(50) == 0.5
    now[0] = 9.0
    assert progress.share(60) == 0.9
    assert progress.share(100) == 1
    assert progress.steps_per_second == pytest.approx(50 / 7)


def test_a_state_that_is_not_this_runs_is_named(tmp_path: Path) -> None:
    _, state = run(tmp_path, Bench(), 3)
    with pytest.raises(CheckpointError, match="must be those of the run to resume, got others"):
        RunState.open(tmp_path, "b", resume=True)
    with pytest.raises(CheckpointError, match=r"folder must hold no run, got state\.json; --resume it"):
        RunState.open(tmp_path, "a", resume=False)
    (tmp_path / "teacher0-residual.npz").write_bytes(b"half")
    with pytest.raises(CheckpointError, match="weights of teacher0-residual must be a whole file"):
        state.arrays("teacher0-residual")
    (tmp_path / "state.json").write_text("{")
    with pytest.raises(CheckpointError, match="state must be a whole one"):
        RunState.open(tmp_path, "a", resume=True)


def test_without_a_student_nothing_is_best(tmp_path: Path) -> None:
    state = RunState(tmp_path, "a", {FINAL: {"seconds": 1.0}})
    with pytest.raises(CheckpointError, match="run must have finished a student, got student-final"):
        state.best_student()


def test_the_work_per_kind_is_what_times_are_shared_by(tmp_path: Path) -> None:
    """On a device at half the assumed speed the first teacher gets its full schedule, since a few steps told so."""
    bench = Bench(ASSUMED_FLOPS / 2)
    _, state = run(tmp_path, bench, 9)
    first = state.done["teacher0-residual"]
    assert first["steps"] >= 0.85 * first["of_steps"]
    assert first["seconds"] <= 2 * TASKS[0].flops / ASSUMED_FLOPS + START_S
