"""Work of unary calls: one frame, or one batch of tensor rows, without memory."""

from __future__ import annotations

import time
from concurrent.futures import Future
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferserve.errors import InvalidFrameError, OverloadedError
from ferserve.metrics import Metrics
from ferserve.pipeline import Pipeline, Settings
from ferserve.runtime.base import Infer, Tensor
from ferserve.runtime.loader import LoadedModel
from ferserve.scheduling.backlog import Backlog
from ferserve.scheduling.caller import Caller
from ferserve.scheduling.pending import PendingFrame, with_future
from ferserve.scheduling.pool import WorkerPool
from ferserve.scheduling.turns import Flow
from ferserve.types import DropReason, Frame, FrameResult


class SingleFrame:
    """The queue of a unary call: one frame, no memory."""

    def __init__(self, flow: Flow[Any], pending: PendingFrame, settings: Settings, backlog: Backlog) -> None:
        self.flow = flow
        self._pending, self._settings, self._backlog = pending, settings, backlog

    def run_one(self, context: Pipeline) -> bool:
        """See :class:`ferserve.scheduling.pool.SerialQueue`."""
        self._backlog.leave(self.flow, self._pending.frame.payload_bytes)
        self._pending.run(context, self._settings, None, faults=False)
        return False


class RowsFuture(Future[list[NDArray[np.float32]]]):
    """The future of a batch of rows, and when a worker had it, in ns of the monotonic clock."""

    began_ns = ended_ns = 0


class SingleBatch:
    """The queue of a call that brings tensors: one batch of rows."""

    def __init__(self, flow: Flow[Any], infer: Infer, rows: Tensor, backlog: Backlog) -> None:
        self.flow = flow
        self.future = RowsFuture()
        self._infer, self._rows, self._backlog = infer, rows, backlog

    def run_one(self, context: Pipeline) -> bool:
        """See :class:`ferserve.scheduling.pool.SerialQueue`."""
        self._backlog.leave(self.flow, self._rows.nbytes)
        if self.future.set_running_or_notify_cancel():
            self.future.began_ns = time.monotonic_ns()
            try:
                answer = self._infer(self._rows)
                self.future.ended_ns = time.monotonic_ns()
            except BaseException as error:  # the caller must hear of everything; the thread must live
                self.future.set_exception(error)
            else:
                self.future.set_result(answer)
        return False


def submit_frame(
    frame: Frame, settings: Settings, pool: WorkerPool[Pipeline], caller: Caller, backlog: Backlog, metrics: Metrics
) -> Future[FrameResult]:
    """Queue the frame of a unary call; raises :class:`OverloadedError` if too many wait."""
    pending, future = with_future(frame, metrics)
    flow = pool.call_flow(caller)
    if not backlog.enter(flow, frame.payload_bytes):
        pending.drop(DropReason.OVERLOADED)
        raise _refused(backlog)
    pool.schedule(SingleFrame(flow, pending, settings, backlog))
    return future


def submit_rows(infer: Infer, rows: Tensor, pool: WorkerPool[Pipeline], caller: Caller, backlog: Backlog) -> RowsFuture:
    """Queue the rows of a call that brings tensors; raises :class:`OverloadedError` if too many wait."""
    flow = pool.call_flow(caller)
    if not backlog.enter(flow, rows.nbytes):
        raise _refused(backlog)
    batch = SingleBatch(flow, infer, rows, backlog)
    pool.schedule(batch)
    return batch.future


def require_rows(rows: Tensor, model: LoadedModel) -> None:
    """Raise :class:`InvalidFrameError` unless ``model`` can run on ``rows``."""
    spec = model.spec.input
    if rows.dtype != np.dtype(spec.dtype) or rows.shape[1:] != spec.row_shape or not rows.ndim:
        wanted = ", ".join(map(str, ("N", *spec.row_shape)))
        raise InvalidFrameError(
            f"rows must be {spec.dtype} ({wanted}) for the model {model.spec.name!r}, got {rows.dtype} {rows.shape}; "
            "preprocess faces as the model's spec says"
        )


def _refused(backlog: Backlog) -> OverloadedError:
    return OverloadedError(
        f"waiting frames must be at most {backlog}, got one more; try again later", "engine.max_queue"
    )
