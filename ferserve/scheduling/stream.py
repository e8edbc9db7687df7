"""One open stream of the engine."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import TypeAlias

from ferserve.errors import ModelNotReadyError, StreamProtocolError
from ferserve.metrics import Metrics
from ferserve.options import Delivery, StreamOptions
from ferserve.pipeline import Pipeline, Settings
from ferserve.runtime.followed import FollowedModels
from ferserve.scheduling.backlog import Backlog
from ferserve.scheduling.caller import Caller
from ferserve.scheduling.pending import OnOutcome, Outcome, PendingFrame, with_future
from ferserve.scheduling.pool import WorkerPool
from ferserve.scheduling.resumable import ResumeKey
from ferserve.tracking.state import StateSettings, StreamState
from ferserve.types import DropReason, Frame, FrameResult, ModelDescription
from ferserve.types.handover import Handover

logger = logging.getLogger(__name__)

MAX_CHANGES = 64
"""Changes of models that a stream notes until somebody tells of them; in a process nobody need."""

Seal: TypeAlias = Callable[[Handover], bytes]


class EngineStream:
    """A queue of frames that are worked on one after the other, in the order of their arrival.

    If another version takes the place of one of its models, it changes over between two frames.
    """

    def __init__(
        self,
        options: StreamOptions,
        settings: Settings,
        followed: FollowedModels,
        pool: WorkerPool[Pipeline],
        caller: Caller,
        backlog: Backlog,
        metrics: Metrics,
        *,
        state: StreamState,
        state_settings: StateSettings,
        last_frame_id: int | None,
        resume_key: ResumeKey,
        on_close: Callable[[EngineStream], None],
    ) -> None:
        """``options`` have every default filled in; ``last_frame_id`` is None unless the stream is resumed."""
        self.flow = pool.stream_flow(caller, options.priority.weight)
        self.options = options
        self.state = state
        self.resume_key = resume_key
        """Who may reopen it after its connection broke."""
        self.resumed = last_frame_id is not None
        self.last_frame_id = last_frame_id or 0
        """The newest frame that a worker took up, of this connection or of the one that it resumes."""
        self._settings, self._state_settings, self._followed = settings, state_settings, followed
        self.models = followed.describe()
        """The models that answered when it was opened, with the names that their heads have in this stream."""
        self.changes: deque[tuple[int, tuple[ModelDescription, ...]]] = deque(maxlen=MAX_CHANGES)
        """The models that took their place, each time with the id of the first frame that they answered; who tells of
        them takes them out."""
        self._pool, self._backlog, self._metrics, self._on_close = pool, backlog, metrics, on_close
        self._newest_id = -1  # a resumed stream may repeat frames whose answers its client never saw
        self._waiting: deque[PendingFrame] = deque()
        self._scheduled = False
        self._closed = False
        self._lock = threading.Lock()
        self.sealed: deque[tuple[int, bytes]] = deque()
        """After whole frames, by their ids, what :meth:`seal_with` made; who sends the answers takes them out."""
        self._sealing: tuple[Seal, int] | None = None
        metrics.stream_opened(resumed=self.resumed)

    def seal_with(self, seal: Seal, every: int) -> None:
        """Seal what the stream knows after the first and every so many answered frames, before their answers are told.

        Called before the first frame.
        """
        self._sealing, self._unsealed = (seal, every), every

    def submit(self, frame: Frame) -> Future[FrameResult]:
        """Queue a frame; the future gives its one answer and raises only errors that must end the stream.

        Raises :class:`StreamProtocolError` if ``frame_id`` does not rise, :class:`ModelNotReadyError` after
        :meth:`close`.
        """
        pending, future = with_future(frame, self._metrics)
        self._enqueue(pending)
        return future

    def send(self, frame: Frame, on_outcome: OnOutcome) -> None:
        """:meth:`submit` with a callback: a future costs more than everything else that is done here."""
        self._enqueue(PendingFrame(frame, on_outcome, self._metrics, abandoned=self._is_abandoned))

    def pass_over(self, frame_id: int) -> None:
        """Note the id of a frame that the caller answers itself; raises as :meth:`submit` does."""
        self._pool.process.require_own()
        with self._lock:
            self._require_next(frame_id)

    def _enqueue(self, pending: PendingFrame) -> None:
        frame = pending.frame
        superseded: list[PendingFrame] = []
        self._pool.process.require_own()
        with self._lock:
            self._require_next(frame.frame_id)
            if self.options.delivery is Delivery.LATEST:
                superseded = list(self._waiting)
                self._waiting.clear()
            for old in superseded:
                self._backlog.leave(self.flow, old.frame.payload_bytes)
            accepted = self._backlog.enter(self.flow, frame.payload_bytes)
            if accepted:
                self._waiting.append(pending)
            idle = accepted and not self._scheduled
            self._scheduled |= accepted
        for old in superseded:
            old.drop(DropReason.SUPERSEDED)
        if not accepted:
            pending.drop(DropReason.OVERLOADED)
        if idle:
            try:
                self._pool.schedule(self)
            except ModelNotReadyError:  # the engine closed this stream meanwhile, and that answered the frame
                return

    def _require_next(self, frame_id: int) -> None:
        if self._closed:
            raise ModelNotReadyError("stream must be open, got a frame after it was closed; open a new one")
        if frame_id <= self._newest_id:
            raise StreamProtocolError(
                f"frame_id must rise within a stream, got {frame_id} after {self._newest_id}; number frames upwards"
            )
        self._newest_id = frame_id

    def run_one(self, context: Pipeline) -> bool:
        """See :class:`ferserve.scheduling.pool.SerialQueue`."""
        with self._lock:
            pending = self._waiting.popleft() if self._waiting else None
        if pending is not None:
            self._backlog.leave(self.flow, pending.frame.payload_bytes)
            self._answer(pending, context)
        with self._lock:
            self._scheduled = bool(self._waiting)
            return self._scheduled

    def _answer(self, pending: PendingFrame, pipeline: Pipeline) -> None:
        # Before the outcome is told: its receiver may close the stream at once.
        self.last_frame_id = pending.frame.frame_id
        limit_ms = self.options.frame_deadline_ms
        if limit_ms and time.monotonic_ns() - pending.arrival_ns > limit_ms * 1_000_000:
            pending.drop(DropReason.DEADLINE)
        else:
            with self.state.lock:  # a resumed stream may still work on a frame of its former connection
                self.state.reconfigure(self._state_settings)
                self.state.tracker.skip_ids(self.options.last_track_id)
                if self._followed.renew():
                    self._settings = replace(self._settings, models=self._followed.models)
                    self.changes.append((pending.frame.frame_id, self._followed.describe()))
                if self._sealing is not None:
                    pending.on_outcome = partial(self._seal_and_tell, *self._sealing, pending.on_outcome)
                pending.run(pipeline, self._settings, self.state, faults=True)

    def _seal_and_tell(self, seal: Seal, every: int, tell: OnOutcome, outcome: Outcome) -> None:
        """Called on the worker's thread, which holds the state's lock."""
        if isinstance(outcome, FrameResult) and outcome.ok:
            if self._unsealed >= every:
                self._unsealed = 0
                try:
                    self.sealed.append((outcome.frame_id, seal(self.state.hand_over(outcome.frame_id))))
                except Exception:  # the answer is worth more than its token
                    logger.exception("cannot seal what a stream knows")
            self._unsealed += 1
        tell(outcome)

    def close(self) -> None:
        """Answer waiting frames as dropped; the engine keeps the tracks of a named stream for a while."""
        if self._pool.process.was_left:
            return
        with self._lock:
            if self._closed:
                return
            self._closed = True
            waiting = list(self._waiting)
            self._waiting.clear()
        for pending in waiting:
            self._backlog.leave(self.flow, pending.frame.payload_bytes)
            pending.drop(DropReason.SHUTDOWN)
        self._metrics.stream_closed()
        self._on_close(self)

    def _is_abandoned(self) -> bool:
        """True if nobody gets the answers any more; a named stream may come back, and counts on its last frame."""
        return self._closed and not self.options.stream_id

    def __enter__(self) -> EngineStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
