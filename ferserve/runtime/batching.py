"""Rows of many streams in one run of the model, if that pays.

On a CPU one row at a time is usually fastest per core; on a GPU large batches are. :func:`measure` finds out on the
machine at hand, :func:`choose` decides, and :class:`Batcher` gathers rows from all worker threads: the first thread
leads, waits until the batch is full or ``max_queue_delay_us`` has passed, and runs it for all of them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ferserve.errors import OverloadedError
from ferserve.runtime.base import Infer, Tensor

MIN_SPEEDUP = 1.5
"""Batching is chosen only if it multiplies the rows per second by this: it always costs latency."""

_TURNS = 3


@dataclass(slots=True)
class _Gathering:
    """The batch that is being gathered."""

    parts: list[tuple[Tensor, Future[list[NDArray[np.float32]]]]] = field(default_factory=list)
    rows: int = 0
    full: threading.Event = field(default_factory=threading.Event)


class Batcher:
    """Calls ``infer`` with rows of several threads together. ``infer`` must be safe to call from any thread."""

    def __init__(
        self,
        infer: Infer,
        max_batch_size: int,
        max_queue_delay_us: int,
        max_waiting_rows: int,
        others_busy: Callable[[], bool] = lambda: True,
    ) -> None:
        """``others_busy`` tells whether other threads are at work; if nobody else is busy, rows run at once."""
        self._infer = infer
        self._max_batch_size = max_batch_size
        self._delay_s = max_queue_delay_us / 1e6
        self._max_waiting = max_waiting_rows
        self._others_busy = others_busy
        self._waiting = 0
        self._gathering = _Gathering()
        self._lock = threading.Lock()

    def infer(self, batch: Tensor) -> list[NDArray[np.float32]]:
        """The answer of ``infer`` to ``batch`` (N, ...), run together with the rows of other threads.

        Raises :class:`OverloadedError` if too many rows wait (the first batch always finds room), and all that
        ``infer`` raises.
        """
        if len(batch) >= self._max_batch_size:
            return self._infer(batch)
        future: Future[list[NDArray[np.float32]]] = Future()
        with self._lock:
            if self._waiting and self._waiting + len(batch) > self._max_waiting:
                raise OverloadedError(
                    f"rows waiting must be at most {self._max_waiting}, got one more; try again later"
                )
            self._waiting += len(batch)
            leads = self._join(batch, future)
            gathering = self._gathering
        if leads:
            if self._others_busy():
                gathering.full.wait(self._delay_s)
            self._run(gathering)
        return future.result()

    def _join(self, batch: Tensor, future: Future[list[NDArray[np.float32]]]) -> bool:
        """Add rows to the batch that is gathered, or to a new one if they do not fit; True for its first."""
        if self._gathering.rows + len(batch) > self._max_batch_size:
            self._gathering.full.set()
            self._gathering = _Gathering()
        gathering = self._gathering
        gathering.parts.append((batch, future))
        gathering.rows += len(batch)
        if gathering.rows >= self._max_batch_size:
            gathering.full.set()
        return len(gathering.parts) == 1

    def _run(self, gathering: _Gathering) -> None:
        with self._lock:
            if self._gathering is gathering:
                self._gathering = _Gathering()
            self._waiting -= gathering.rows
        parts = gathering.parts
        try:
            outputs = self._infer(parts[0][0] if len(parts) == 1 else np.concatenate([batch for batch, _ in parts]))
        except BaseException as error:
            for _, future in parts:
                future.set_exception(error)
            return
        start = 0
        for batch, future in parts:
            future.set_result([output[start : start + len(batch)] for output in outputs])
            start += len(batch)


def at_once(infer: Infer, most: int) -> Infer:
    """``infer`` with ``most`` calls at once; further ones wait."""
    permits = threading.Semaphore(most)

    def limited(batch: Tensor) -> list[NDArray[np.float32]]:
        with permits:
            return infer(batch)

    return limited


@dataclass(frozen=True)
class Measurement:
    """Rows per second with all threads busy, and the duration of one run, at one batch size."""

    batch_size: int
    threads: int
    rows_per_second: float
    run_ms: float


def measure(infer: Infer, row: Tensor, batch_sizes: Sequence[int], threads: int, seconds: float) -> list[Measurement]:
    """Run ``infer`` on copies of ``row`` (1, ...) from ``threads`` threads at once, ``seconds`` per batch size.

    The sizes take turns and the best turn of each counts: other work on the machine only ever takes time away, and the
    first turn warms up for the others. Sizes of which one run alone takes longer than ``seconds`` are left out, and
    all larger ones; if already the first does, its one run is the measurement.
    """
    batches: list[Tensor] = []
    for size in batch_sizes:
        batch = np.repeat(row, size, axis=0)
        run_s = _run_s(infer, batch, seconds)
        if run_s > seconds:
            if batches:
                break
            return [Measurement(size, 1, size / run_s, run_s * 1e3)]
        batches.append(batch)
    turns = [[_measure_one(infer, batch, threads, seconds / _TURNS) for batch in batches] for _ in range(_TURNS)]
    return [max(of_size, key=lambda m: m.rows_per_second) for of_size in zip(*turns, strict=True)]


def _run_s(infer: Infer, batch: Tensor, limit_s: float) -> float:
    """Duration of a run, of the second one if the first takes longer than ``limit_s``.

    The first of a new shape allocates, and a GPU searches for its kernels.
    """
    for _ in range(2):
        started = time.perf_counter()
        infer(batch)
        run_s = time.perf_counter() - started
        if run_s <= limit_s:
            break
    return run_s


def _measure_one(infer: Infer, batch: Tensor, threads: int, seconds: float) -> Measurement:
    def work(_: int) -> int:
        runs = 0
        while True:  # at least once, even if a busy machine starts this thread late
            infer(batch)
            runs += 1
            if time.perf_counter() >= until:
                return runs

    started = time.perf_counter()
    until = started + seconds
    with ThreadPoolExecutor(threads) as pool:
        runs = sum(pool.map(work, range(threads)))
    elapsed = time.perf_counter() - started
    return Measurement(len(batch), threads, runs * len(batch) / elapsed, elapsed * threads / runs * 1e3)


def choose(measurements: Sequence[Measurement]) -> Measurement:
    """The smallest batch size that comes near the best throughput; 1 unless the best reaches :data:`MIN_SPEEDUP`."""
    single = measurements[0]
    best = max(measurements, key=lambda m: m.rows_per_second)
    if best.rows_per_second < MIN_SPEEDUP * single.rows_per_second:
        return single
    return next(m for m in measurements if m.rows_per_second >= 0.95 * best.rows_per_second)
