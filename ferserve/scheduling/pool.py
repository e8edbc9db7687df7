"""A bounded pool of threads that takes turns among queues.

Each queue is worked on by one thread at a time, so its state needs no lock, and after each piece of work it waits for
its next turn. Turns follow stride scheduling (Waldspurger & Weihl 1995, MIT LCS/TM-528): a queue's pass grows by one
over its weight with every turn, and the lowest pass is next, so a busy stream cannot starve a quiet one and shares
follow the weights.
"""

from __future__ import annotations

import heapq
import itertools
import math
import os
import queue
import threading
import time
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from ferserve.errors import ModelNotReadyError

Context = TypeVar("Context")
Context_contra = TypeVar("Context_contra", contravariant=True)


_LOAD_WINDOW_NS = 100_000_000
"""The load is measured over windows of at least this length."""
_LOAD_MEMORY_NS = 500_000_000
"""Time constant with which measured load is forgotten."""
_STRETCH_NS = 2_000_000
"""A thread that worked for this long without a rest yields before its last known piece of work."""
_REST_NS = 10_000_000
"""A wait of this length counts as a rest."""


class SerialQueue(Protocol[Context_contra]):
    """A sequence of pieces of work that must not overlap."""

    weight: float
    """Turns relative to a queue of weight 1."""
    turn: float
    """The pass of stride scheduling; starts at 0 and belongs to the pool."""

    def run_one(self, context: Context_contra) -> bool:
        """Do the next piece of work with this thread's ``context``; True if more waits. Must not raise."""


class WorkerPool(Generic[Context]):
    """Threads that work on queues, each with a context of its own."""

    def __init__(self, threads: int) -> None:
        self._threads: list[threading.Thread] = []
        self._size = threads
        self._line: list[tuple[float, int, SerialQueue[Context]]] = []
        self._arrivals = itertools.count()
        self._now = 0.0
        self._lock = threading.Lock()
        self._permits: queue.SimpleQueue[bool] = queue.SimpleQueue()  # a semaphore that waits in C
        self._closed = False
        self._busy = 0
        self._load = 0.0
        self._worked_ns, self._measured_ns = 0, time.monotonic_ns()

    def start(self, contexts: Sequence[Context]) -> None:
        """Start one thread per context; no other thread uses it."""
        if len(contexts) != self._size:
            raise ValueError(f"contexts must be one per thread ({self._size}), got {len(contexts)}")
        self._threads = [
            threading.Thread(target=self._work, args=(context,), name=f"ferserve-worker-{i}", daemon=True)
            for i, context in enumerate(contexts)
        ]
        for thread in self._threads:
            thread.start()

    def schedule(self, work: SerialQueue[Context]) -> None:
        """Put a queue that has work in line; it must not be in line already.

        Raises :class:`ModelNotReadyError` after :meth:`close`.
        """
        with self._lock:
            if self._closed:
                raise ModelNotReadyError("cannot take work: the engine shuts down; try another server")
            self._push(work)
        self._permits.put(True)

    def _push(self, work: SerialQueue[Context]) -> None:
        # A queue that was idle gets no credit for the turns that it did not want.
        work.turn = max(work.turn, self._now)
        heapq.heappush(self._line, (work.turn, next(self._arrivals), work))

    def load(self) -> float:
        """The part of the threads' recent time that went into work, from 0 to 1."""
        with self._lock:
            now_ns = time.monotonic_ns()
            elapsed = now_ns - self._measured_ns
            if elapsed >= _LOAD_WINDOW_NS:
                part = min(self._worked_ns / (elapsed * self._size), 1.0)
                self._load += (part - self._load) * (1 - math.exp(-elapsed / _LOAD_MEMORY_NS))
                self._worked_ns, self._measured_ns = 0, now_ns
            return self._load

    def is_contended(self) -> bool:
        """True if right now more than one thread works, or work waits."""
        return self._busy + len(self._line) > 1

    def close(self) -> None:
        """Let the threads finish what is in line, then end them."""
        with self._lock:
            self._closed = True
        for _ in self._threads:
            self._permits.put(False)
        for thread in self._threads:
            thread.join()

    def _work(self, context: Context) -> None:
        stretch = _Stretch()
        while self._permits.get():
            stretch.resume(last=len(self._line) <= 1)
            with self._lock:
                turn, _, work = heapq.heappop(self._line)
                self._now = turn
                work.turn = turn + 1 / work.weight
                self._busy += 1
            began_ns = time.monotonic_ns()
            more = work.run_one(context)
            with self._lock:
                self._busy -= 1
                self._worked_ns += stretch.pause() - began_ns
                if more:
                    self._push(work)
            if more:
                self._permits.put(True)


class _Stretch:
    """The time that a thread has worked without a rest."""

    def __init__(self) -> None:
        self._began_ns = self._paused_ns = 0  # long ago: the thread comes from a rest

    def resume(self, last: bool) -> None:
        """Let others have the processor before the ``last`` piece of work in line.

        An event loop that waits for its turn (docs/decisions/0033) may have more, but cannot say so before the thread
        runs dry or uses up its slice.
        """
        now_ns = time.monotonic_ns()
        if now_ns - self._paused_ns > _REST_NS:
            self._began_ns = now_ns
        elif last and now_ns - self._began_ns > _STRETCH_NS:
            os.sched_yield()
            self._began_ns = time.monotonic_ns()

    def pause(self) -> int:
        """Note that a piece of work is done; returns the time, monotonic ns."""
        self._paused_ns = time.monotonic_ns()
        return self._paused_ns
