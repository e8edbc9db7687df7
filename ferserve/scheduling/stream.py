"""Frames that wait for a worker, and the streams they belong to."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType

from ferserve.errors import ModelNotReadyError, OverloadedError, StreamProtocolError
from ferserve.options import Delivery, StreamOptions
from ferserve.pipeline import Pipeline
from ferserve.scheduling.pending import Job, Tell, Walk, promised
from ferserve.scheduling.pool import WorkerPool
from ferserve.tracking.state import StateSettings, StreamState
from ferserve.types import DropReason, Frame, FrameResult, ModelDescription


class Backlog:
    """Counts the frames that wait for a worker, over all streams, and says when they are too many or too large."""

    def __init__(self, limit: int, limit_bytes: int) -> None:
        self._limit, self._limit_bytes = limit, limit_bytes
        self._waiting = self._bytes = 0
        self._lock = threading.Lock()

    def enter(self, frame: Frame) -> bool:
        """One frame more; False where it has to be refused. The first frame always finds room."""
        size = frame.payload_bytes
        with self._lock:
            if self._waiting and (self._waiting >= self._limit or self._bytes + size > self._limit_bytes):
                return False
            self._waiting += 1
            self._bytes += size
            return True

    def leave(self, frame: Frame) -> None:
        """One frame less."""
        with self._lock:
            self._waiting -= 1
            self._bytes -= frame.payload_bytes

    def __str__(self) -> str:
        return f"{self._limit} and hold at most {self._limit_bytes} bytes"


class SingleFrame:
    """The strand of a unary call: one frame, no state."""

    def __init__(self, job: Job, walk: Walk, backlog: Backlog) -> None:
        self.weight, self.turn = 1.0, 0.0
        self._job, self._walk, self._backlog = job, walk, backlog

    def run_one(self, tool: Pipeline) -> bool:
        """See :class:`ferserve.scheduling.pool.Strand`."""
        self._backlog.leave(self._job.frame)
        self._job.run(self._walk, tool, None, faults=False)
        return False


class EngineStream:
    """One stream of frames: a strand whose frames are worked on one after the other, in the order they came."""

    def __init__(
        self,
        options: StreamOptions,
        model: ModelDescription,
        walk: Walk,
        pool: WorkerPool[Pipeline],
        backlog: Backlog,
        *,
        state: StreamState,
        settings: StateSettings,
        last_frame_id: int | None,
        on_close: Callable[[EngineStream], None],
    ) -> None:
        self.weight, self.turn = options.priority.weight, 0.0
        self.options = options
        self.model = model
        self.state = state
        self._state_settings = settings
        self.resumed = last_frame_id is not None
        self.last_frame_id = last_frame_id or 0
        """The newest frame that a worker took up, of this connection or of the one that it resumes."""
        self._walk, self._pool, self._backlog, self._on_close = walk, pool, backlog, on_close
        self._newest_id = -1  # a resumed stream may send again what its client saw no answer to
        self._waiting: deque[Job] = deque()
        self._scheduled = False
        self._closed = False
        self._lock = threading.Lock()

    def submit(self, frame: Frame) -> Future[FrameResult]:
        """Queue a frame; the future gives its one answer and raises only for what must end the stream.

        Raises :class:`StreamProtocolError` where ``frame_id`` does not rise, :class:`ModelNotReadyError` after
        :meth:`close`.
        """
        job, future = promised(frame)
        self._enqueue(job)
        return future

    def pass_over(self, frame_id: int) -> None:
        """A frame that is answered before it gets here counts in the order of ids; raises as :meth:`submit` does."""
        with self._lock:
            self._require_next(frame_id)

    def send(self, frame: Frame, tell: Tell) -> None:
        """:meth:`submit` for those who would rather be told: a future costs more than all else that is done here."""
        self._enqueue(Job(frame, tell))

    def _enqueue(self, job: Job) -> None:
        frame = job.frame
        superseded: list[Job] = []
        with self._lock:
            self._require_next(frame.frame_id)
            if self.options.delivery is Delivery.LATEST:
                superseded = list(self._waiting)
                self._waiting.clear()
            for old in superseded:
                self._backlog.leave(old.frame)
            accepted = self._backlog.enter(frame)
            if accepted:
                self._waiting.append(job)
            idle = accepted and not self._scheduled
            self._scheduled |= accepted
        for old in superseded:
            old.drop(DropReason.SUPERSEDED)
        if not accepted:
            job.drop(DropReason.OVERLOADED)
        if idle:
            self._pool.schedule(self)

    def _require_next(self, frame_id: int) -> None:
        if self._closed:
            raise ModelNotReadyError("stream must be open, got a frame after it was closed; open a new one")
        if frame_id <= self._newest_id:
            raise StreamProtocolError(
                f"frame_id must rise within a stream, got {frame_id} after {self._newest_id}; number frames upwards"
            )
        self._newest_id = frame_id

    def run_one(self, tool: Pipeline) -> bool:
        """See :class:`ferserve.scheduling.pool.Strand`."""
        with self._lock:
            job = self._waiting.popleft() if self._waiting else None
        if job is not None:
            self._backlog.leave(job.frame)
            self._answer(job, tool)
        with self._lock:
            self._scheduled = bool(self._waiting)
            return self._scheduled

    def _answer(self, job: Job, pipeline: Pipeline) -> None:
        self.last_frame_id = job.frame.frame_id  # before the answer is out: its receiver may close the stream at once
        limit_ms = self.options.frame_deadline_ms
        if limit_ms and time.monotonic_ns() - job.arrival_ns > limit_ms * 1_000_000:
            job.drop(DropReason.DEADLINE)
        else:
            with self.state.lock:  # a stream that was resumed may still be at work on a frame of its former connection
                self.state.reconfigure(self._state_settings)
                job.run(self._walk, pipeline, self.state, faults=True)

    def close(self) -> None:
        """Answer what still waits as dropped, and let the engine keep the tracks of a named stream for a while."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            waiting = list(self._waiting)
            self._waiting.clear()
        for job in waiting:
            self._backlog.leave(job.frame)
            job.drop(DropReason.SHUTDOWN)
        self._on_close(self)

    def __enter__(self) -> EngineStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def submit_single(frame: Frame, walk: Walk, pool: WorkerPool[Pipeline], backlog: Backlog) -> Future[FrameResult]:
    """Queue the one frame of a unary call; raises :class:`OverloadedError` where too many wait."""
    if not backlog.enter(frame):
        raise OverloadedError(f"waiting frames must be at most {backlog}, got one more; try again later")
    job, future = promised(frame)
    pool.schedule(SingleFrame(job, walk, backlog))
    return future
