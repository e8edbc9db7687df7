"""Queues of work, and a clock that only their work moves."""

from __future__ import annotations

import threading
import time
from collections import deque

from ferserve.scheduling.caller import WITHIN_PROCESS
from ferserve.scheduling.pool import WorkerPool


def started(*contexts: str) -> WorkerPool[str]:
    pool: WorkerPool[str] = WorkerPool(len(contexts))
    pool.start(contexts)
    return pool


class Counter:
    """A queue of ``total`` pieces that notes the order in which they run."""

    def __init__(self, pool: WorkerPool[str], name: str, total: int, log: list[str], done: threading.Event) -> None:
        self.flow = pool.stream_flow(WITHIN_PROCESS, 1.0)
        self._name, self._log, self._done = name, log, done
        self._left = deque(range(total))
        self._inside = threading.Lock()

    def run_one(self, context: str) -> bool:
        assert self._inside.acquire(blocking=False), "two threads in one queue"
        self._left.popleft()
        self._log.append(self._name)
        if not self._left:
            self._done.set()
        self._inside.release()
        return bool(self._left)


class Gate:
    """Holds its thread until the event is set."""

    def __init__(self, pool: WorkerPool[str], opened: threading.Event) -> None:
        self.flow, self._opened, self.entered = pool.call_flow(WITHIN_PROCESS), opened, threading.Event()

    def run_one(self, context: str) -> bool:
        self.entered.set()
        self._opened.wait(10)
        return False


class Clock:
    """Stands still but for the work of a test; sleeping is no work."""

    sleep = staticmethod(time.sleep)

    def __init__(self) -> None:
        self.now_ns = 0

    def monotonic_ns(self) -> int:
        return self.now_ns

    thread_time_ns = monotonic_ns


class Priced(Counter):
    """Each piece takes ``cost_ms`` on a test's clock."""

    def __init__(self, pool: WorkerPool[str], clock: Clock, name: str, total: int, log: list[str], cost_ms: int):
        self.done = threading.Event()
        super().__init__(pool, name, total, log, self.done)
        self._clock, self._cost_ms = clock, cost_ms

    def refill(self) -> None:
        """One more piece."""
        self._left.append(0)
        self.done.clear()

    def run_one(self, context: str) -> bool:
        self._clock.now_ns += self._cost_ms * 1_000_000
        return super().run_one(context)
