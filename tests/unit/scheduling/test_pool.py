"""The pool takes turns and never works on a queue twice at a time."""

import os
import threading
import time
from collections import deque

import pytest

from ferserve.errors import ModelNotReadyError
from ferserve.scheduling.pool import WorkerPool


def _started(*contexts: str) -> WorkerPool[str]:
    pool: WorkerPool[str] = WorkerPool(len(contexts))
    pool.start(contexts)
    return pool


class _Counter:
    """A queue of ``total`` pieces that notes the order in which they run."""

    def __init__(self, name: str, total: int, log: list[str], done: threading.Event, weight: float = 1.0) -> None:
        self.weight, self.turn = weight, 0.0
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


class _Gate:
    """Holds its thread until the event is set."""

    weight, turn = 1.0, 0.0

    def __init__(self, opened: threading.Event) -> None:
        self._opened = opened

    def run_one(self, context: str) -> bool:
        self._opened.wait(10)
        return False


def test_a_busy_queue_does_not_starve_a_quiet_one() -> None:
    log: list[str] = []
    gate, busy_done, quiet_done = threading.Event(), threading.Event(), threading.Event()

    pool = _started("context")
    pool.schedule(_Gate(gate))  # holds the only thread until both queues stand in line
    pool.schedule(_Counter("busy", 100, log, busy_done))
    pool.schedule(_Counter("quiet", 3, log, quiet_done))
    assert pool.is_contended()
    gate.set()
    assert busy_done.wait(10)
    assert quiet_done.wait(10)
    pool.close()
    assert log[:6] == ["busy", "quiet"] * 3
    assert len(log) == 103


def test_turns_follow_the_weights() -> None:
    log: list[str] = []
    events = [threading.Event() for _ in range(3)]
    gate = threading.Event()

    pool = _started("context")
    pool.schedule(_Gate(gate))
    for name, weight, event in zip("lnh", (0.25, 1.0, 4.0), events, strict=True):
        pool.schedule(_Counter(name, 400, log, event, weight))
    gate.set()
    assert all(event.wait(10) for event in events)
    pool.close()
    first = log[:420]  # all three still want turns: 1 to 4 to 16
    assert [first.count(name) for name in "lnh"] == [20, 80, 320]


def test_many_threads_never_share_a_queue() -> None:
    log: list[str] = []
    events = [threading.Event() for _ in range(8)]
    pool = _started(*"abcd")
    for i, event in enumerate(events):
        pool.schedule(_Counter(str(i), 200, log, event))
    assert all(event.wait(10) for event in events)
    pool.close()
    assert sorted(log) == sorted(str(i) for i in range(8) for _ in range(200))


def test_the_load_is_the_part_of_time_that_went_into_work() -> None:
    class _Half:
        """Works for 10 ms, then leaves the thread alone for as long."""

        weight, turn = 1.0, 0.0

        def run_one(self, context: str) -> bool:
            until = time.monotonic() + 0.01
            while time.monotonic() < until:
                pass
            return False

    pool = _started("one", "two")
    assert pool.load() < 0.1
    for _ in range(100):
        pool.schedule(_Half())
        time.sleep(0.02)
        load = pool.load()
    pool.close()
    assert 0.1 < load < 0.5  # half of one of two threads, and some more on a busy machine


def test_a_thread_that_works_on_and_on_lets_others_run_before_its_last_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    yields: list[int] = []
    log: list[str] = []
    monkeypatch.setattr(os, "sched_yield", lambda: yields.append(len(log)))

    class _Millisecond(_Counter):
        def run_one(self, context: str) -> bool:
            until = time.monotonic() + 0.001
            while time.monotonic() < until:
                pass
            return super().run_one(context)

    pool = _started("context")
    done = threading.Event()
    pool.schedule(_Millisecond("alone", 30, log, done))
    assert done.wait(10)
    assert yields  # each piece was the only one there was

    yields.clear()
    gate, ends = threading.Event(), [threading.Event(), threading.Event()]
    pool.schedule(_Gate(gate))
    for name, end in zip("ab", ends, strict=True):
        pool.schedule(_Millisecond(name, 15, log, end))
    gate.set()
    assert all(end.wait(10) for end in ends)
    pool.close()
    assert all(at <= 30 or at >= 58 for at in yields)  # not while both stood in line


def test_a_thread_that_has_rested_takes_up_its_work_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    yields: list[bool] = []
    monkeypatch.setattr(os, "sched_yield", lambda: yields.append(True))
    pool = _started("context")
    for _ in range(5):
        done = threading.Event()
        pool.schedule(_Counter("camera", 1, [], done))
        assert done.wait(10)
        time.sleep(0.1)
    pool.close()
    assert not yields


def test_a_closed_pool_takes_no_work() -> None:
    pool = _started("context")
    pool.close()
    with pytest.raises(ModelNotReadyError, match="cannot take work: the engine shuts down"):
        pool.schedule(_Counter("late", 1, [], threading.Event()))


def test_each_thread_needs_a_context() -> None:
    pool: WorkerPool[str] = WorkerPool(2)
    with pytest.raises(ValueError, match=r"contexts must be one per thread \(2\), got 1"):
        pool.start(["context"])
