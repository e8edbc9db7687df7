"""What the machine could do with no server in between: decode and models alone, on all cores."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection

import numpy as np
from numpy.typing import NDArray

from ferserve.bench.clips import Clip
from ferserve.bench.processes import sum_of
from ferserve.config import EngineConfig
from ferserve.engine import Engine
from ferserve.errors import FerserveError
from ferserve.options import Delivery, StreamOptions
from ferserve.processors import usable_processors
from ferserve.runtime import Session, open_session
from ferserve.runtime.default_model import open_store
from ferserve.scheduling.stream import EngineStream
from ferserve.types import EncodedImage, Frame, FrameResult

_IN_FLIGHT = 2
"""Frames of a stream that stand ready, so that no worker ever waits for its next one."""
_STREAMS_A_THREAD = 2
_WARMUP_S = 0.5


def raw_limit_fps(config: EngineConfig, clip: Clip, *, boxes: bool, seconds: float) -> float:
    """Frames of ``clip`` a second through engines without a server: one with a thread for every core, or one of a
    single thread for each core, whichever does more.
    """
    cores = usable_processors()
    plan = _EnginePlan(config, clip, boxes, seconds / 2, cores)
    return max(sum_of(_drive_engine, [plan]), sum_of(_drive_engine, [replace(plan, threads=1)] * cores))


def raw_limit_crops(config: EngineConfig, batch: int, seconds: float) -> float:
    """Crops a second of the model alone, one session a thread, in one process or in one for each core, in runs of one
    crop or of ``batch``, whichever does most.
    """
    cores = usable_processors()
    batches = {1, batch}
    plans = [_ModelPlan(config, rows, seconds / 2 / len(batches), cores) for rows in batches]
    return max(max(sum_of(_drive_model, [p]), sum_of(_drive_model, [replace(p, threads=1)] * cores)) for p in plans)


@dataclass(frozen=True)
class _EnginePlan:
    config: EngineConfig
    clip: Clip
    boxes: bool
    seconds: float
    threads: int


def _drive_engine(plan: _EnginePlan, parent: Connection) -> None:
    """Frames a second of one engine; see :func:`ferserve.bench.processes.sum_of`."""
    try:
        with Engine(replace(plan.config, threads=plan.threads)) as engine:
            options = StreamOptions(delivery=Delivery.EVERY)
            loops = [_Loop(plan, number) for number in range(_STREAMS_A_THREAD * plan.threads)]
            for loop in loops:
                loop.start(engine.open_stream(options))
            rate = _rate(lambda: sum(loop.done for loop in loops), plan.seconds, parent)
            for loop in loops:
                loop.stopped.set()
        parent.send(rate)
    except FerserveError as error:
        parent.send(error)


class _Loop:
    """Keeps one stream busy: each answer sends the next frame, on the very thread that answered."""

    def __init__(self, plan: _EnginePlan, number: int) -> None:
        self.done = 0
        self.stopped = threading.Event()
        self._images = [EncodedImage(data) for data in plan.clip.frames]
        self._boxes = [np.array(b, np.float32).reshape(-1, 4) if plan.boxes else None for b in plan.clip.boxes]
        self._next_id = 0
        self._at = number * 17
        self._lock = threading.Lock()

    def start(self, stream: EngineStream) -> None:
        self._stream = stream
        for _ in range(_IN_FLIGHT):
            self._send()

    def _send(self) -> None:
        with self._lock:
            self._next_id += 1
            at = (self._at + self._next_id) % len(self._images)
            frame = Frame(self._next_id, self._images[at], time.monotonic_ns(), self._boxes[at])
            future = self._stream.submit(frame)
        future.add_done_callback(self._on_done)

    def _on_done(self, future: Future[FrameResult]) -> None:
        self.done += future.result().ok
        if not self.stopped.is_set():
            self._send()


@dataclass(frozen=True)
class _ModelPlan:
    config: EngineConfig
    batch: int
    seconds: float
    threads: int


def _drive_model(plan: _ModelPlan, parent: Connection) -> None:
    """Crops a second of bare sessions; see :func:`ferserve.bench.processes.sum_of`."""
    try:
        _, file = open_store(plan.config)
        wanted = file.spec.input
        rows = np.zeros((plan.batch, *wanted.row_shape), wanted.dtype)
        counts = [0] * plan.threads
        stop = threading.Event()

        def loop(number: int, session: Session, batch: NDArray[np.generic]) -> None:
            while not stop.is_set():
                session.run({wanted.name: batch})
                counts[number] += len(batch)

        threads = [
            threading.Thread(target=loop, args=(i, open_session(file.path), rows.copy())) for i in range(plan.threads)
        ]
        for thread in threads:
            thread.start()
        rate = _rate(lambda: sum(counts), plan.seconds, parent)
        stop.set()
        for thread in threads:
            thread.join()
        parent.send(rate)
    except FerserveError as error:
        parent.send(error)


def _rate(count: Callable[[], int], seconds: float, parent: Connection) -> float:
    """By how much ``count`` grows a second, once it has run for a while and the parent has said so."""
    time.sleep(_WARMUP_S)
    parent.send("ready")
    parent.recv()
    before, started = count(), time.perf_counter()
    time.sleep(seconds)
    return (count() - before) / (time.perf_counter() - started)
