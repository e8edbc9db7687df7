"""What ``ferserve annotate`` shows while it works."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from ferserve.annotation.file_run import Progress, Report
from ferserve.annotation.lanes import Event, Lanes
from ferserve.cli import exit_codes
from ferserve.rendering.json import print_error

if TYPE_CHECKING:
    from ferserve.annotation.job import Job
    from ferserve.config import EngineConfig

_RECENT_S = 5.0
"""Over which the frame rate is taken."""


def show(jobs: Sequence[Job], config: EngineConfig, lanes: int, *, quiet: bool) -> int:
    """Run ``jobs`` and tell how they go; returns the exit code. Ctrl-C ends live sources well and stops recordings."""
    view = _View(jobs, quiet=quiet, bars=not quiet and sys.stderr.isatty())
    running = Lanes(jobs, config, lanes)
    with view:
        while True:
            try:
                for event in running:
                    view.take(event)
                return view.code
            except KeyboardInterrupt:  # noqa: PERF203, once or twice
                if view.interrupted:
                    return exit_codes.INTERRUPTED
                view.interrupted = True
                running.stop()


class _View:
    """Bars on a terminal, a line per finished source otherwise."""

    def __init__(self, jobs: Sequence[Job], *, quiet: bool, bars: bool) -> None:
        self._jobs, self._quiet = jobs, quiet
        self._bars = _Bars() if bars else None
        self._began = [0.0] * len(jobs)
        self._progress = [Progress()] * len(jobs)
        self._notes: set[str] = set()
        self.interrupted = False
        self.code = 0

    def __enter__(self) -> _View:
        if self._bars:
            self._bars.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars:
            self._bars.live.stop()

    def take(self, event: Event) -> None:
        """Show what happened."""
        job, news = self._jobs[event.index], event.news
        self._began[event.index] = self._began[event.index] or time.monotonic()
        if isinstance(news, Report):
            if self._bars:
                self._bars.drop(event.index)
            self._tell(job, news, self._progress[event.index], time.monotonic() - self._began[event.index])
        else:
            self._progress[event.index] = news
            if self._bars:
                self._bars.update(event.index, job.name, news)

    def _tell(self, job: Job, report: Report, progress: Progress, seconds: float) -> None:
        for note in report.notes:
            if note not in self._notes and not self._quiet:
                self._notes.add(note)
                print(f"ferserve: {note}", file=sys.stderr, flush=True)
        if report.error:
            self.code = max(self.code, exit_codes.FAILED)
            print_error(job.name, report.error)
        if report.interrupted:
            self.code = exit_codes.INTERRUPTED
        if self._quiet or (report.error and not report.frames) or report.interrupted:
            return
        if report.skipped:
            print(f"{job.name}: finished before, {job.folder}", flush=True)
            return
        fps = (report.frames - progress.resumed) / max(seconds, 1e-9)
        print(f"{job.name}: {report.frames} frames, {fps:.0f} FPS, {job.folder}", flush=True)


class _Bars:
    """A bar per source that is worked on."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        self.live = RichProgress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %", markup=False),
            TextColumn("{task.fields[frames]} frames, {task.fields[fps]:.0f} FPS", markup=False),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._tasks: dict[int, object] = {}
        self._recent: dict[int, deque[tuple[float, int]]] = {}

    def update(self, index: int, name: str, progress: Progress) -> None:
        """Move the bar of one source."""
        recent = self._recent.setdefault(index, deque())
        now = time.monotonic()
        recent.append((now, progress.frames))
        while recent[0][0] < now - _RECENT_S:
            recent.popleft()
        fps = (recent[-1][1] - recent[0][1]) / max(now - recent[0][0], 1e-9)
        if index not in self._tasks:
            total = None if progress.share is None else 1.0
            self._tasks[index] = self.live.add_task(name, total=total, frames=0, fps=0.0)
        task: object = self._tasks[index]
        self.live.update(task, completed=progress.share or 0.0, frames=progress.frames, fps=fps)  # type: ignore[arg-type]

    def drop(self, index: int) -> None:
        """Take the bar of a source away."""
        if index in self._tasks:
            self.live.remove_task(self._tasks.pop(index))  # type: ignore[arg-type]
