"""The bound on what waits, in number and in bytes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from ferserve.scheduling.backlog import Backlog


def test_the_number_is_bounded() -> None:
    backlog = Backlog(max_waiting=2, max_bytes=1000)
    assert [backlog.enter(1) for _ in range(3)] == [True, True, False]
    backlog.leave(1)
    assert backlog.enter(1)
    assert not backlog.enter(0)


def test_the_bytes_are_bounded() -> None:
    backlog = Backlog(max_waiting=100, max_bytes=10)
    assert [backlog.enter(size) for size in (4, 6, 1, 0)] == [True, True, False, True]
    backlog.leave(6)
    assert [backlog.enter(size) for size in (7, 6)] == [False, True]


def test_the_first_finds_room_at_any_size() -> None:
    backlog = Backlog(max_waiting=1, max_bytes=10)
    assert backlog.enter(10_000)
    assert not backlog.enter(1)
    backlog.leave(10_000)
    assert backlog.enter(11)


def test_many_threads_never_pass_the_bound() -> None:
    backlog = Backlog(max_waiting=5, max_bytes=10**9)

    def come_and_go(_: int) -> int:
        entered = 0
        for _ in range(2000):
            if backlog.enter(3):
                entered += 1
                backlog.leave(3)
        return entered

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(come_and_go, range(8))) > 0
    assert [backlog.enter(3) for _ in range(6)] == [True] * 5 + [False], "as empty as at the start"


def test_it_says_its_bounds() -> None:
    assert str(Backlog(7, 512)) == "7 and hold at most 512 bytes"
