"""What a stream came to."""

from __future__ import annotations

import dataclasses
import time
from collections import Counter, deque

from rich.table import Table

from ferserve.rendering.json import NOT_SURE
from ferserve.types import DropReason, FrameResult, Timings

_RECENT = 30
"""Results over which the present frame rate is taken."""


class Summary:
    """Counts and times of a stream's results, from its making on."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._recent: deque[float] = deque(maxlen=_RECENT)
        self.frames = 0
        self.classified = 0
        self.with_faces = 0
        self.faces = 0
        self.faults = 0
        self.dropped: Counter[DropReason] = Counter()
        self.emotions: Counter[str] = Counter()
        self._totals: Counter[str] = Counter()

    def add(self, result: FrameResult) -> None:
        """Count one result."""
        self.frames += 1
        self._recent.append(time.monotonic())
        if result.fault is not None:
            self.faults += 1
        elif result.dropped is not None:
            self.dropped[result.dropped] += 1
        else:
            self.classified += 1
            self.with_faces += bool(result.faces)
            self.faces += len(result.faces)
            self.emotions.update(face.emotion if face.sure else NOT_SURE for face in result.faces)
            self._totals.update(dataclasses.asdict(result.timings))

    @property
    def recent_fps(self) -> float:
        """Results a second, over the last of them."""
        if len(self._recent) < 2:
            return 0.0
        return (len(self._recent) - 1) / max(self._recent[-1] - self._recent[0], 1e-9)

    @property
    def fps(self) -> float:
        """Results a second, from the start to the last of them."""
        return self.frames / max(self._recent[-1] - self._started, 1e-9) if self._recent else 0.0

    @property
    def mean_timings(self) -> Timings:
        """Stage by stage, over the frames that were classified."""
        return Timings(**{stage: total / max(self.classified, 1) for stage, total in self._totals.items()})

    def table(self) -> Table:
        """The summary for a terminal."""
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        table.add_row("frames", f"{self.frames} at {self.fps:.1f} FPS, {self.with_faces} with a face")
        table.add_row("faces", f"{self.faces}: " + ", ".join(f"{n} {e}" for e, n in self.emotions.most_common()))
        if self.dropped:
            table.add_row("dropped", ", ".join(f"{count} {r.value}" for r, count in self.dropped.items()))
        if self.faults:
            table.add_row("faults", str(self.faults))
        table.add_row("stages, ms per frame", stages(self.mean_timings))
        return table


def stages(timings: Timings) -> str:
    """Stage by stage in one line, ms."""
    values = dataclasses.asdict(timings).items()
    return ", ".join(f"{stage.removesuffix('_ms')} {value:.1f}" for stage, value in values)
