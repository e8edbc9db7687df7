"""A frame that waits for a worker, and the callback that gets its one answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

from ferserve.errors import FerserveError, InvalidFrameError, OverloadedError
from ferserve.metrics import NO_METRICS, Metrics
from ferserve.pipeline import Pipeline, Settings
from ferserve.tracking.state import StreamState
from ferserve.types import DropReason, Frame, FrameFault, FrameResult, Timings

Outcome: TypeAlias = FrameResult | BaseException
"""The answer to a frame; an exception if its call or stream must end."""
OnOutcome: TypeAlias = Callable[[Outcome], None]
"""Called once with the outcome, on the thread that has it; must neither block for long nor raise."""


def _always() -> bool:
    return True


@dataclass(slots=True, eq=False)
class PendingFrame:
    """A frame that has been taken and gets exactly one outcome, from :meth:`run` or :meth:`drop`.

    ``wanted`` is called once, before any work; if it returns False, the frame counts as cancelled.
    """

    frame: Frame
    on_outcome: OnOutcome
    metrics: Metrics = NO_METRICS
    wanted: Callable[[], bool] = _always
    arrival_ns: int = field(default_factory=time.monotonic_ns)

    def drop(self, reason: DropReason) -> None:
        """Answer without looking at the frame."""
        if self._take_up():
            dropped = self._without_faces(time.monotonic_ns(), dropped=reason)
            self._tell(dropped, dropped)

    def run(self, pipeline: Pipeline, settings: Settings, state: StreamState | None, *, faults: bool) -> None:
        """Classify the frame and answer with the result.

        If ``faults`` is set, a bad frame becomes a fault, and one that found no room is dropped; otherwise both
        become exceptions. Every other exception becomes the outcome too, so the thread lives.
        """
        if not self._take_up():
            return
        started_ns = time.monotonic_ns()
        try:
            result = pipeline.run(self.frame, settings, state, self.arrival_ns)
        except BaseException as error:
            result = self._failed(error, started_ns)
            spared = faults and isinstance(error, (InvalidFrameError, OverloadedError))
            self._tell(result, result if spared else error)
        else:
            self._tell(result, result)

    def _take_up(self) -> bool:
        if self.wanted():
            return True
        self.metrics.frame_cancelled()
        return False

    def _tell(self, result: FrameResult, outcome: Outcome) -> None:
        self.metrics.frame_answered(result)
        self.on_outcome(outcome)

    def _failed(self, error: BaseException, started_ns: int) -> FrameResult:
        if isinstance(error, OverloadedError):
            return self._without_faces(started_ns, dropped=DropReason.OVERLOADED)
        kind = error.kind if isinstance(error, FerserveError) else FerserveError.kind
        return self._without_faces(started_ns, fault=FrameFault(kind, str(error)))

    def _without_faces(
        self, started_ns: int, *, dropped: DropReason | None = None, fault: FrameFault | None = None
    ) -> FrameResult:
        spent_ns = time.monotonic_ns() - self.arrival_ns
        timings = Timings(queue_ms=(started_ns - self.arrival_ns) / 1e6, total_ms=spent_ns / 1e6)
        return FrameResult(
            self.frame.frame_id, self.frame.capture_time_ns, dropped=dropped, fault=fault, timings=timings
        )


def with_future(frame: Frame, metrics: Metrics = NO_METRICS) -> tuple[PendingFrame, Future[FrameResult]]:
    """A pending frame and the future of its result; cancelling the future in time spares the work."""
    future: Future[FrameResult] = Future()
    return PendingFrame(frame, partial(_settle, future), metrics, future.set_running_or_notify_cancel), future


def _settle(future: Future[FrameResult], outcome: Outcome) -> None:
    if isinstance(outcome, BaseException):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
