"""What a GPU run does, in which order, and what it is expected to cost. Needs no framework."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from training.emotion_lite.gpu.families import ENLARGED, MIRRORED, PLAIN, RESIDUAL, SQUEEZED, Family, Mirrored
from training.models.emotion_stages import LITE, Stage, count_macs

Shape = tuple[Stage, ...]
FINAL, FINAL_FOLD = "student-final", 0
"""The student that learns from PublicTest too, and the fold that it is not shown, for its temperatures."""
SHAPES: dict[str, Shape] = {
    "lite": LITE,
    "fine": (
        Stage(16, 1), Stage(32, 2, pairs=1, kernel=2), Stage(64, 2, pairs=1, kernel=2),
        Stage(96, 2, pairs=1, kernel=2), Stage(192, 2, kernel=2),
    ),
    "deep": (
        Stage(16, 1), Stage(32, 2, kernel=2), Stage(64, 2, pairs=1, kernel=2), Stage(96, 2, pairs=2, kernel=2),
        Stage(160, 2, pairs=1, kernel=2),
    ),
}  # fmt: skip
"""Students by name; all of them export with the recipe's graph and cost at most 33 M multiply-accumulates."""


@dataclass(frozen=True)
class Task:
    """One network to train."""

    name: str
    kind: Literal["teacher", "student", "final"]
    rows: int
    epochs: int
    batch: int
    flops_per_row: float
    """Of one training step, per row: a multiply-accumulate is two, a step is three passes."""
    fold: int = -1
    """The fold that a teacher does not see, or that the final student keeps for its temperatures."""
    network: Family | Mirrored | None = None
    """A teacher's shape."""
    shape: str = ""
    """A student's shape, in the plan; the final one takes the best."""

    @property
    def steps(self) -> int:
        """Batches in all epochs."""
        return self.epochs * max(1, self.rows // self.batch)

    @property
    def flops(self) -> float:
        """Of the whole task."""
        return self.steps * self.batch * self.flops_per_row


@dataclass(frozen=True)
class Plan:
    """The settings of a run."""

    folds: int = 4
    teachers: tuple[Family | Mirrored, ...] = (RESIDUAL, SQUEEZED, PLAIN, MIRRORED)
    """One per fold, taking turns; twice as many make two answers for each row."""
    teacher_epochs: int = 60
    student_epochs: int = 300
    shape_epochs: int = 120
    """Of students of another shape."""
    final_epochs: int = 200
    shapes: tuple[tuple[str, Shape], ...] = tuple(SHAPES.items())
    batch: int = 512
    teacher_rate: float = 0.2
    student_rate: float = 0.2
    """Peak learning rates; :data:`DECAY` is the decoupled weight decay."""
    taught: float = 0.6
    """Share of a student's targets that its teachers answer."""
    views: int = 2
    """Views of a row that a teacher averages: its mirror image, and shifts by a pixel from the third on."""
    sharp: float = 0.2
    """Last share of a student's steps that look for flat minima."""
    gate: float = 0.73
    """Least accuracy of the teachers' mean on PublicTest (FER2013); below it students are a waste."""
    seed: int = 1

    def tasks(self, labelled: int, faces: int, tests: int) -> list[Task]:
        """In order, for so many labelled rows, faces without labels and usable rows of PublicTest."""
        return [*self._teachers(labelled), *self._students(labelled, faces, tests)]

    def _teachers(self, labelled: int) -> Iterator[Task]:
        rows = labelled * (self.folds - 1) // self.folds
        for number, network in enumerate(self.teachers):
            name = f"teacher{number}-{network.name}"
            fold = number % self.folds
            yield Task(name, "teacher", rows, self.teacher_epochs, self.batch, 6 * network.macs, fold, network)

    def _students(self, labelled: int, faces: int, tests: int) -> Iterator[Task]:
        rows = labelled + faces
        for number, (name, shape) in enumerate(self.shapes):
            epochs = self.student_epochs if number == 0 else self.shape_epochs
            yield Task(f"student-{name}", "student", rows, epochs, self.batch, self._student_flops(shape), shape=name)
        cost = max(self._student_flops(shape) for _, shape in self.shapes)
        kept = rows * (self.folds - 1) // self.folds + tests
        yield Task(FINAL, "final", kept, self.final_epochs, self.batch, cost, fold=FINAL_FOLD)

    def _student_flops(self, shape: Shape) -> float:
        """Its own passes, twice in the sharp part, and its teachers' answers to each view."""
        per_fold = len(self.teachers) / self.folds
        answers = per_fold * self.views * sum(2 * network.macs for network in self.teachers) / len(self.teachers)
        return 6 * count_macs(shape) * (1 + self.sharp) + answers

    def small(self) -> Plan:
        """The same tasks for a dry run: narrow networks, one or two epochs, small batches."""
        return replace(
            self,
            teachers=tuple(network.narrowed(8) for network in self.teachers),
            shapes=tuple((name, _narrow(shape)) for name, shape in self.shapes),
            teacher_epochs=2, student_epochs=2, shape_epochs=1, final_epochs=1, batch=32, gate=0.0,
        )  # fmt: skip


def _narrow(shape: Shape) -> Shape:
    return tuple(replace(stage, width=max(8, stage.width // 4 // 2 * 2)) for stage in shape)


DECAY = 5e-3
"""Decoupled weight decay of a step, times the rate (Loshchilov & Hutter 2019, arXiv:1711.05101)."""
LARGE = Plan(teachers=(RESIDUAL, SQUEEZED, PLAIN, MIRRORED, ENLARGED, RESIDUAL, SQUEEZED, PLAIN))
"""Two answers for each row, for a machine that has the time."""
ASSUMED_FLOPS = 2.0e14
"""Per second of an H200 or H100 in bfloat16 on such networks: a fifth of what its data sheet says."""


def cost_table(tasks: Sequence[Task], flops_per_second: float = ASSUMED_FLOPS) -> Iterator[str]:
    """One line per task in Markdown: rows, epochs, work, seconds."""
    yield "| task | rows | epochs | MFLOP per row and step | PFLOP | seconds |"
    yield "|---" * 6 + "|"
    for task in tasks:
        work = f"{task.flops_per_row / 1e6:,.0f} | {task.flops / 1e15:.2f} | {task.flops / flops_per_second:,.0f}"
        yield f"| {task.name} | {task.rows:,} | {task.epochs} | {work} |"
    total = sum(task.flops for task in tasks)
    yield f"| all | | | | {total / 1e15:.2f} | {total / flops_per_second:,.0f} |"
