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
from ferserve.vision.budget import FrameAbandonedError

Outcome: TypeAlias = FrameResult | BaseException
"""The answer to a frame; an exception if its call or stream must end."""
OnOutcome: TypeAlias = Callable[[Outcome], None]
"""Called once with the outcome, on the thread that has it; must neither block for long nor raise."""


def _always() -> bool:
    return True


def _never() -> bool:
    return False


@dataclass(slots=True, eq=False)
class PendingFrame:
    """A frame that has been taken and gets exactly one outcome, from :meth:`run` or :meth:`drop`.

    ``wanted`` is called once, before any work; if it returns False, the frame counts as cancelled. ``abandoned`` is
    called between the stages of the work; once it returns True, the frame is given up.
    """

    frame: Frame
    on_outcome: OnOutcome
    metrics: Metrics = NO_METRICS
    wanted: Callable[[], bool] = _always
    abandoned: Callable[[], bool] = _never
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
            result = pipeline.run(self.frame, settings, state, self.arrival_ns, self.abandoned)
        except FrameAbandonedError:
            self._give_up(started_ns, counts=faults)
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

    def _give_up(self, started_ns: int, *, counts: bool) -> None:
        """The frame of a stream ``counts`` as dropped, as those that still waited do; a single one was cancelled."""
        dropped = self._without_faces(started_ns, dropped=DropReason.SHUTDOWN)
        if counts:
            self._tell(dropped, dropped)
        else:
            self.metrics.frame_cancelled()
            self.on_outcome(dropped)

    def _tell(self, result: FrameResult, outcome: Outcome) -> None:
        self.metrics.frame_answered(result)
        if result.degraded:
            self.metrics.frame_degraded()
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


class FrameFuture(Future[FrameResult]):
    """The future of a frame. Once cancelled, also while a worker has the frame, no further stage is worked on."""

    abandoned = False

    def cancel(self) -> bool:
        """As of any future; if it returns False, the result comes as dropped unless it was nearly ready."""
        self.abandoned = True
        return super().cancel()

    def is_abandoned(self) -> bool:
        """True once somebody cancelled."""
        return self.abandoned


def with_future(frame: Frame, metrics: Metrics = NO_METRICS) -> tuple[PendingFrame, Future[FrameResult]]:
    """A pending frame and the future of its result; cancelling the future spares the work that is left."""
    future = FrameFuture()
    on_outcome, wanted = partial(_settle, future), future.set_running_or_notify_cancel
    return PendingFrame(frame, on_outcome, metrics, wanted, future.is_abandoned), future


def _settle(future: Future[FrameResult], outcome: Outcome) -> None:
    if isinstance(outcome, BaseException):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
