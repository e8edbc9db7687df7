"""The pool takes turns and never works on a strand twice at a time."""

import threading
import time
from collections import deque

from ferserve.workers import WorkerPool


class _Counter:
    """A strand of ``total`` pieces that notes the order in which they run."""

    def __init__(self, name: str, total: int, log: list[str], done: threading.Event, weight: float = 1.0) -> None:
        self.weight, self.turn = weight, 0.0
        self._name, self._log, self._done = name, log, done
        self._left = deque(range(total))
        self._inside = threading.Lock()

    def run_one(self, tool: str) -> bool:
        assert self._inside.acquire(blocking=False), "two threads in one strand"
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

    def run_one(self, tool: str) -> bool:
        self._opened.wait(10)
        return False


def test_a_busy_strand_does_not_starve_a_quiet_one() -> None:
    log: list[str] = []
    gate, busy_done, quiet_done = threading.Event(), threading.Event(), threading.Event()

    pool = WorkerPool(["tool"])
    pool.schedule(_Gate(gate))  # holds the only thread until both strands stand in line
    pool.schedule(_Counter("busy", 100, log, busy_done))
    pool.schedule(_Counter("quiet", 3, log, quiet_done))
    assert pool.crowded()
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

    pool = WorkerPool(["tool"])
    pool.schedule(_Gate(gate))
    for name, weight, event in zip("lnh", (0.25, 1.0, 4.0), events, strict=True):
        pool.schedule(_Counter(name, 400, log, event, weight))
    gate.set()
    assert all(event.wait(10) for event in events)
    pool.close()
    first = log[:420]  # all three still want turns: 1 to 4 to 16
    assert [first.count(name) for name in "lnh"] == [20, 80, 320]


def test_many_threads_never_share_a_strand() -> None:
    log: list[str] = []
    events = [threading.Event() for _ in range(8)]
    pool = WorkerPool(list("abcd"))
    for i, event in enumerate(events):
        pool.schedule(_Counter(str(i), 200, log, event))
    assert all(event.wait(10) for event in events)
    pool.close()
    assert sorted(log) == sorted(str(i) for i in range(8) for _ in range(200))


def test_the_load_is_the_part_of_time_that_went_into_work() -> None:
    class _Half:
        """Works for 10 ms, then leaves the thread alone for as long."""

        weight, turn = 1.0, 0.0

        def run_one(self, tool: str) -> bool:
            until = time.monotonic() + 0.01
            while time.monotonic() < until:
                pass
            return False

    pool = WorkerPool(["one", "two"])
    assert pool.load() < 0.1
    for _ in range(100):
        pool.schedule(_Half())
        time.sleep(0.02)
        load = pool.load()
    pool.close()
    assert 0.1 < load < 0.5  # half of one of two threads, and some more on a busy machine
