"""Long work does not keep short work from threads."""

from __future__ import annotations

import threading

import pytest

from ferserve.scheduling import pool as pool_module
from ferserve.scheduling.pool import WorkerPool
from tests.unit.scheduling.pool_work import Clock, Gate, Priced, started


def _crowded(monkeypatch: pytest.MonkeyPatch) -> tuple[WorkerPool[str], Clock, Priced, threading.Event]:
    """A pool with one thread and a spare one, a queue whose pieces take 1 ms, and the gate that holds the thread."""
    clock, gate = Clock(), threading.Event()
    monkeypatch.setattr(pool_module, "time", clock)
    pool: WorkerPool[str] = WorkerPool(1, spare=1)
    pool.start(["context", "spare"])
    known = Priced(pool, clock, "known", 1, [], 1)
    pool.schedule(known)
    assert known.done.wait(10)
    holding = Gate(pool, gate)
    pool.schedule(holding)
    assert holding.entered.wait(10)
    known.refill()
    return pool, clock, known, gate


def test_short_work_is_taken_up_by_a_spare_thread_once_the_others_are_busy_with_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pool, clock, known, gate = _crowded(monkeypatch)
    pool.schedule(known)
    assert not known.done.wait(0.05)  # what the thread does may be short too
    clock.now_ns += 20_000_000
    assert known.done.wait(10)
    assert not gate.is_set()
    gate.set()
    pool.close()


def test_work_that_nobody_knows_waits_for_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    pool, clock, _, gate = _crowded(monkeypatch)
    unknown = Priced(pool, clock, "unknown", 1, [], 1)
    clock.now_ns += 10**9
    pool.schedule(unknown)
    assert not unknown.done.wait(0.05)
    gate.set()
    assert unknown.done.wait(10)
    pool.close()


def test_long_work_waits_for_a_thread_and_short_work_does_not_once_the_other_is_known_to_be_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pool, clock, known, gate = _crowded(monkeypatch)
    long = Priced(pool, clock, "long", 1, [], 1000)
    gate.set()
    pool.schedule(long)
    assert long.done.wait(10)
    second_gate = threading.Event()
    holding = Gate(pool, second_gate)
    holding.flow = long.flow  # the same stream is long again
    pool.schedule(holding)
    assert holding.entered.wait(10)
    pool.schedule(known)
    assert known.done.wait(10)  # at once, on a clock that stands still
    second_gate.set()
    pool.close()


class _TwoThreads:
    """A pool of two threads on a test's clock, which knows a short queue and two long ones."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = Clock()
        monkeypatch.setattr(pool_module, "time", self.clock)
        self.pool = started("one", "two")
        self.short = self._known("short", 5)
        self.long = [self._known("long", 200).flow for _ in range(2)]
        self.clock.now_ns += 10**10

    def _known(self, name: str, cost_ms: int) -> Priced:
        queue = Priced(self.pool, self.clock, name, 1, [], cost_ms)
        self.pool.schedule(queue)
        assert queue.done.wait(10)
        return queue

    def run_short(self) -> None:
        """One piece of short work."""
        self.short.refill()
        self.pool.schedule(self.short)
        assert self.short.done.wait(10)

    def begin_long(self, number: int) -> tuple[Gate, threading.Event]:
        """Long work, which takes until its event is set."""
        opened = threading.Event()
        gate = Gate(self.pool, opened)
        gate.flow = self.long[number]
        self.pool.schedule(gate)
        return gate, opened


def test_long_work_leaves_a_thread_to_short_work(monkeypatch: pytest.MonkeyPatch) -> None:
    two = _TwoThreads(monkeypatch)
    two.run_short()
    first, end_first = two.begin_long(0)
    assert first.entered.wait(10)
    second, end_second = two.begin_long(1)
    assert not second.entered.wait(0.05)
    for _ in range(3):
        two.run_short()  # though the long work has waited for longer
    end_first.set()
    assert second.entered.wait(10)
    end_second.set()
    two.pool.close()


def test_long_work_has_all_threads_if_no_short_work_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    two = _TwoThreads(monkeypatch)
    began = [two.begin_long(number) for number in range(2)]
    for gate, opened in began:
        assert gate.entered.wait(10)
        opened.set()
    two.pool.close()


def test_long_work_that_is_stuck_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    two = _TwoThreads(monkeypatch)
    two.run_short()
    stuck, end_stuck = two.begin_long(0)
    assert stuck.entered.wait(10)
    other, end_other = two.begin_long(1)
    assert not other.entered.wait(0.05)
    two.clock.now_ns += 6 * 10**9
    two.short.refill()
    two.pool.schedule(two.short)
    assert other.entered.wait(10)
    end_other.set()
    assert two.short.done.wait(10)
    end_stuck.set()
    two.pool.close()


def test_a_pool_that_closes_finishes_long_work_that_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    two = _TwoThreads(monkeypatch)
    two.run_short()
    _, end_first = two.begin_long(0)
    second, end_second = two.begin_long(1)
    assert not second.entered.wait(0.05)
    end_first.set()
    end_second.set()
    two.pool.close()
    assert second.entered.is_set()
