"""The pool takes turns and never works on a queue twice at a time."""

import os
import threading
import time

import pytest

from ferserve.errors import ModelNotReadyError
from ferserve.scheduling import pool as pool_module
from ferserve.scheduling.caller import WITHIN_PROCESS
from ferserve.scheduling.pool import WorkerPool
from tests.unit.scheduling.pool_work import Clock, Counter, Gate, Priced, started


def _order(monkeypatch: pytest.MonkeyPatch, *queues: tuple[str, int, int, float]) -> list[str]:
    """The order in which one thread does the pieces of queues: name, number of pieces, ms of each, and weight."""
    clock, gate, log = Clock(), threading.Event(), list[str]()
    monkeypatch.setattr(pool_module, "time", clock)
    pool = started("context")
    pool.schedule(Gate(pool, gate))  # holds the only thread until all stand in line
    priced = [Priced(pool, clock, name, total, log, cost_ms) for name, total, cost_ms, _ in queues]
    for queue, (*_, weight) in zip(priced, queues, strict=True):
        queue.flow = pool.stream_flow(WITHIN_PROCESS, weight)
        pool.schedule(queue)
    assert pool.is_contended()
    gate.set()
    assert all(queue.done.wait(10) for queue in priced)
    pool.close()
    return log


def test_a_busy_queue_does_not_starve_a_quiet_one(monkeypatch: pytest.MonkeyPatch) -> None:
    log = _order(monkeypatch, ("busy", 100, 1, 1.0), ("quiet", 3, 1, 1.0))
    assert log == ["busy", "quiet"] * 3 + ["busy"] * 97


def test_turns_follow_the_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    log = _order(monkeypatch, ("l", 400, 1, 0.25), ("n", 400, 1, 1.0), ("h", 400, 1, 4.0))
    first = log[:420]  # all three still want turns: 1 to 4 to 16
    assert [first.count(name) for name in "lnh"] == [20, 80, 320]


def test_what_a_piece_costs_counts_and_not_that_it_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    log = _order(monkeypatch, ("2048 px", 100, 8, 1.0), ("320 px", 100, 1, 1.0))
    assert log[:90].count("2048 px") == 10


def test_many_threads_never_share_a_queue() -> None:
    log: list[str] = []
    events = [threading.Event() for _ in range(8)]
    pool = started(*"abcd")
    for i, event in enumerate(events):
        pool.schedule(Counter(pool, str(i), 200, log, event))
    assert all(event.wait(10) for event in events)
    pool.close()
    assert sorted(log) == sorted(str(i) for i in range(8) for _ in range(200))


def test_the_load_is_the_part_of_time_that_went_into_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of two threads works for 10 ms, then rests for as long."""
    clock = Clock()
    monkeypatch.setattr(pool_module, "time", clock)
    pool = started("one", "two")
    assert pool.load() == 0
    for _ in range(200):
        half = Priced(pool, clock, "half", 1, [], 10)
        pool.schedule(half)
        assert half.done.wait(10)
        clock.now_ns += 10_000_000
        load = pool.load()
    pool.close()
    assert load == pytest.approx(0.25, abs=0.05)


def test_a_thread_that_works_on_and_on_lets_others_run_before_its_last_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    yields: list[int] = []
    clock, log = Clock(), list[str]()
    monkeypatch.setattr(os, "sched_yield", lambda: yields.append(len(log)))
    monkeypatch.setattr(pool_module, "time", clock)

    pool = started("context")
    alone = Priced(pool, clock, "alone", 30, log, 1)
    pool.schedule(alone)
    assert alone.done.wait(10)
    assert yields  # each piece was the only one there was

    yields.clear()
    gate = threading.Event()
    pool.schedule(Gate(pool, gate))
    pair = [Priced(pool, clock, name, 15, log, 1) for name in "ab"]
    for queue in pair:
        pool.schedule(queue)
    gate.set()
    assert all(queue.done.wait(10) for queue in pair)
    pool.close()
    assert all(at <= 30 or at >= 58 for at in yields)  # not while both stood in line


def test_a_thread_that_has_rested_takes_up_its_work_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    yields: list[bool] = []
    monkeypatch.setattr(os, "sched_yield", lambda: yields.append(True))
    pool = started("context")
    for _ in range(5):
        done = threading.Event()
        pool.schedule(Counter(pool, "camera", 1, [], done))
        assert done.wait(10)
        time.sleep(0.1)
    pool.close()
    assert not yields


def test_a_pool_is_stalled_while_all_threads_are_stuck_in_their_work(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, gates = Clock(), [threading.Event(), threading.Event()]
    monkeypatch.setattr(pool_module, "time", clock)
    pool = started("one", "two")

    def stick(gate: threading.Event) -> None:
        gate_queue = Gate(pool, gate)
        pool.schedule(gate_queue)
        assert gate_queue.entered.wait(10)

    stick(gates[0])
    clock.now_ns = 5_000_000_000
    assert pool.stalled_s() == 0  # the other thread rests
    stick(gates[1])
    clock.now_ns += 7_000_000_000
    assert pool.stalled_s() == 7
    gates[0].set()
    while pool.stalled_s():
        threading.Event().wait(0.001)
    gates[1].set()
    pool.close()


def test_a_closed_pool_takes_no_work() -> None:
    pool = started("context")
    pool.close()
    with pytest.raises(ModelNotReadyError, match="cannot take work: the engine shuts down"):
        pool.schedule(Counter(pool, "late", 1, [], threading.Event()))


def test_each_thread_needs_a_context() -> None:
    pool: WorkerPool[str] = WorkerPool(2)
    with pytest.raises(ValueError, match=r"contexts must be one per thread \(2\), got 1"):
        pool.start(["context"])
