"""A frame that waits for a worker, and whoever hears its one answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

from ferserve.errors import InvalidFrameError, OverloadedError
from ferserve.pipeline import Pipeline
from ferserve.tracking.state import StreamState
from ferserve.types import DropReason, Frame, FrameFault, FrameResult, Timings

Walk: TypeAlias = Callable[[Pipeline, Frame, StreamState | None, int], FrameResult]
"""A frame's walk with model and settings already chosen; the last argument is the arrival, monotonic ns."""
Answer: TypeAlias = FrameResult | BaseException
"""What came of a frame; an exception where its call or stream must end."""
Tell: TypeAlias = Callable[[Answer], None]
"""Hears the answer, once, on the thread that has it; must neither block nor raise."""


def _always() -> bool:
    return True


@dataclass(slots=True, eq=False)
class Job:
    """A frame on its way. ``wanted`` is asked once, before anything is done for it."""

    frame: Frame
    tell: Tell
    wanted: Callable[[], bool] = _always
    arrival_ns: int = field(default_factory=time.monotonic_ns)

    def drop(self, reason: DropReason) -> None:
        """Answer without having looked at the frame."""
        if self.wanted():
            self.tell(self._outcome(time.monotonic_ns(), dropped=reason))

    def run(self, walk: Walk, pipeline: Pipeline, state: StreamState | None, *, faults: bool) -> None:
        """Answer with what the walk gives.

        Where ``faults`` is set, a bad frame becomes a fault and one that found no room is dropped, else exceptions.
        """
        if not self.wanted():
            return
        started_ns = time.monotonic_ns()
        answer: Answer
        try:
            answer = walk(pipeline, self.frame, state, self.arrival_ns)
        except InvalidFrameError as error:
            answer = self._outcome(started_ns, fault=FrameFault(error.kind, str(error))) if faults else error
        except OverloadedError as error:
            answer = self._outcome(started_ns, dropped=DropReason.OVERLOADED) if faults else error
        except BaseException as error:  # the waiting caller must hear of everything; the thread must live
            answer = error
        self.tell(answer)

    def _outcome(
        self, started_ns: int, *, dropped: DropReason | None = None, fault: FrameFault | None = None
    ) -> FrameResult:
        """An answer without faces."""
        spent_ns = time.monotonic_ns() - self.arrival_ns
        timings = Timings(queue_ms=(started_ns - self.arrival_ns) / 1e6, total_ms=spent_ns / 1e6)
        return FrameResult(
            self.frame.frame_id, self.frame.capture_time_ns, dropped=dropped, fault=fault, timings=timings
        )


def promised(frame: Frame) -> tuple[Job, Future[FrameResult]]:
    """A job and the future that holds its answer; cancelling the future in time spares the work."""
    future: Future[FrameResult] = Future()
    return Job(frame, partial(_settle, future), future.set_running_or_notify_cancel), future


def _settle(future: Future[FrameResult], answer: Answer) -> None:
    if isinstance(answer, BaseException):
        future.set_exception(answer)
    else:
        future.set_result(answer)
