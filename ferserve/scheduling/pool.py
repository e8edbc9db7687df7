"""A bounded pool of threads that shares its turns among streams.

Work comes as strands: a strand is worked on by one thread at a time, so whatever it remembers needs no lock, and after
each piece of work it waits for its next turn. Turns are dealt by stride scheduling (Waldspurger & Weihl 1995, MIT
LCS/TM-528): each strand's pass grows by one over its weight with every turn, the lowest pass is next, so that a busy
stream cannot starve a quiet one and shares follow the weights.
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

Tool = TypeVar("Tool")
Tool_contra = TypeVar("Tool_contra", contravariant=True)


_LOAD_WINDOW_NS = 100_000_000
_LOAD_MEMORY_NS = 500_000_000
"""The load is measured over the first, and what was measured is forgotten with the second as time constant."""
_STRETCH_NS = 2_000_000
_REST_NS = 10_000_000
"""A thread has worked for a stretch when the first has passed without a wait as long as the second."""


class Strand(Protocol[Tool_contra]):
    """A sequence of pieces of work that must not overlap."""

    weight: float
    """Turns in comparison with a strand of weight 1."""
    turn: float
    """The pass of stride scheduling; starts at 0 and belongs to the pool."""

    def run_one(self, tool: Tool_contra) -> bool:
        """Do the next piece of work with this thread's ``tool``; True where more waits. Must not raise."""


class WorkerPool(Generic[Tool]):
    """One thread for each of ``tools``, which that thread alone uses."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self._line: list[tuple[float, int, Strand[Tool]]] = []
        self._arrivals = itertools.count()
        self._now = 0.0
        self._lock = threading.Lock()
        self._permits: queue.SimpleQueue[bool] = queue.SimpleQueue()  # a semaphore that waits in C
        self._busy = 0
        self._load = 0.0
        self._worked_ns, self._measured_ns = 0, time.monotonic_ns()
        self._threads = [
            threading.Thread(target=self._work, args=(tool,), name=f"ferserve-worker-{i}", daemon=True)
            for i, tool in enumerate(tools)
        ]
        for thread in self._threads:
            thread.start()

    def schedule(self, strand: Strand[Tool]) -> None:
        """Put a strand that has work in line. It must not stand there already."""
        with self._lock:
            # A strand that was idle gets no credit for the turns that it did not want.
            strand.turn = max(strand.turn, self._now)
            heapq.heappush(self._line, (strand.turn, next(self._arrivals), strand))
        self._permits.put(True)

    def load(self) -> float:
        """Which part of the threads' time went into work of late, from 0 to 1."""
        with self._lock:
            now_ns = time.monotonic_ns()
            elapsed = now_ns - self._measured_ns
            if elapsed >= _LOAD_WINDOW_NS:
                part = min(self._worked_ns / (elapsed * len(self._threads)), 1.0)
                self._load += (part - self._load) * (1 - math.exp(-elapsed / _LOAD_MEMORY_NS))
                self._worked_ns, self._measured_ns = 0, now_ns
            return self._load

    def crowded(self) -> bool:
        """True where more than one thread works, or work waits, right now."""
        return self._busy + len(self._line) > 1

    def close(self) -> None:
        """Let the threads finish what is scheduled, then end them."""
        for _ in self._threads:
            self._permits.put(False)
        for thread in self._threads:
            thread.join()

    def _work(self, tool: Tool) -> None:
        stretch = _Stretch()
        while self._permits.get():
            stretch.go_on(last=len(self._line) <= 1)
            with self._lock:
                turn, _, strand = heapq.heappop(self._line)
                self._now = turn
                strand.turn = turn + 1 / strand.weight
                self._busy += 1
            began_ns = time.monotonic_ns()
            more = strand.run_one(tool)
            with self._lock:
                self._busy -= 1
                self._worked_ns += stretch.pause() - began_ns
            if more:
                self.schedule(strand)


class _Stretch:
    """The time that a thread has worked with short pauses at most."""

    def __init__(self) -> None:
        self._began_ns = self._paused_ns = 0  # long ago: it comes from a rest

    def go_on(self, last: bool) -> None:
        """Let others have the processor before the ``last`` piece of work that is known of.

        An event loop that waits for its turn (docs/decisions/0033) has more, but could not say so before the thread
        has run dry or used up its slice.
        """
        now_ns = time.monotonic_ns()
        if now_ns - self._paused_ns > _REST_NS:
            self._began_ns = now_ns
        elif last and now_ns - self._began_ns > _STRETCH_NS:
            os.sched_yield()
            self._began_ns = time.monotonic_ns()

    def pause(self) -> int:
        """A piece of work is done; returns when, on the monotonic clock in ns."""
        self._paused_ns = time.monotonic_ns()
        return self._paused_ns
