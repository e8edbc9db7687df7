"""Time: how much of a run's minutes each task gets, and how far a task is."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

SQUEEZE = 1.15
"""Expected times may be this much longer than what is given: a task ends its schedule early, it is not cut off."""


@dataclass
class Budget:
    """Seconds since the start that may still be spent."""

    seconds: float
    clock: Callable[[], float] = time.monotonic
    _began: float = field(init=False)

    def __post_init__(self) -> None:
        self._began = self.clock()

    @property
    def spent(self) -> float:
        """Seconds since the start."""
        return self.clock() - self._began

    @property
    def left(self) -> float:
        """Seconds that may still be spent."""
        return self.seconds - self.spent

    def allot(self, expected: Sequence[float]) -> float | None:
        """Seconds for the first of the tasks that are to come, whose times are ``expected``; None if it does not fit.

        As many tasks as fit share what is left in proportion to what they are expected to take.
        """
        total = 0.0
        for seconds in expected:
            if total + seconds > self.left * SQUEEZE:
                break
            total += seconds
        return self.left * expected[0] / total if total else None


@dataclass
class Progress:
    """How far a task is, by its steps or by its time, whichever is further: its schedule always ends in time."""

    steps: int
    seconds: float
    clock: Callable[[], float] = time.monotonic
    _looks: list[tuple[int, float]] = field(init=False)
    """Steps and times at which somebody asked."""

    def __post_init__(self) -> None:
        self._looks = [(0, self.clock())]

    @property
    def spent(self) -> float:
        """Seconds from the start to the last look."""
        return self._looks[-1][1] - self._looks[0][1]

    @property
    def done(self) -> int:
        """Steps at the last look."""
        return self._looks[-1][0]

    @property
    def steps_per_second(self) -> float:
        """From the third look on, behind what is made ready once; over all of the time if there were fewer."""
        (first, began), (last, ended) = self._looks[2 if len(self._looks) > 3 else 0], self._looks[-1]
        return (last - first) / max(ended - began, 1e-9)

    def share(self, step: int) -> float:
        """From 0 to 1, where the task ends; ``step`` steps are done."""
        self._looks.append((step, self.clock()))
        return min(1.0, max(step / self.steps, self.spent / self.seconds))
