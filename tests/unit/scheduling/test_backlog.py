"""The bound on what waits, in number and in bytes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from ferserve.config import EngineConfig, ServerConfig
from ferserve.scheduling.backlog import Backlog
from ferserve.scheduling.caller import Caller
from ferserve.scheduling.turns import Flow, Turns
from ferserve.server.emotion.stream import MAX_UNANSWERED_EVERY

TURNS: Turns[str] = Turns()
FLOW = TURNS.stream(Caller("only"), 1.0)


@pytest.fixture(autouse=True)
def _empty() -> None:
    for holder in (FLOW, FLOW.client):
        holder.held = holder.held_bytes = 0


def _fill(backlog: Backlog, flow: Flow[str], size_bytes: int) -> int:
    """How many pieces of that size find room."""
    count = 0
    while backlog.enter(flow, size_bytes):
        count += 1
    return count


def test_the_number_is_bounded() -> None:
    backlog = Backlog(max_waiting=2, max_bytes=1000)
    assert [backlog.enter(FLOW, 1) for _ in range(3)] == [True, True, False]
    backlog.leave(FLOW, 1)
    assert backlog.enter(FLOW, 1)
    assert not backlog.enter(FLOW, 0)


def test_the_bytes_are_bounded() -> None:
    backlog = Backlog(max_waiting=100, max_bytes=10)
    assert [backlog.enter(FLOW, size) for size in (4, 6, 1)] == [True, True, False]
    backlog.leave(FLOW, 6)
    assert [backlog.enter(FLOW, size) for size in (7, 6)] == [False, True]


def test_the_first_finds_room_at_any_size() -> None:
    backlog = Backlog(max_waiting=1, max_bytes=10)
    assert backlog.enter(FLOW, 10_000)
    assert not backlog.enter(FLOW, 1)
    backlog.leave(FLOW, 10_000)
    assert backlog.enter(FLOW, 11)


def test_many_threads_never_pass_the_bound() -> None:
    backlog = Backlog(max_waiting=5, max_bytes=10**9)

    def come_and_go(_: int) -> int:
        entered = 0
        for _ in range(2000):
            if backlog.enter(FLOW, 3):
                entered += 1
                backlog.leave(FLOW, 3)
        return entered

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(come_and_go, range(8))) > 0
    assert [backlog.enter(FLOW, 3) for _ in range(6)] == [True] * 5 + [False], "as empty as at the start"


def test_single_calls_leave_room_for_a_stream_of_their_client_and_for_others() -> None:
    calls, camera = TURNS.single_calls(Caller("greedy")), TURNS.stream(Caller("greedy"), 1.0)
    other = TURNS.stream(Caller("other"), 1.0)
    backlog = Backlog(max_waiting=320, max_bytes=10**9)
    assert _fill(backlog, calls, 1) == 285  # 8/9
    assert all(backlog.enter(camera, 1) for _ in range(4))
    assert all(backlog.enter(other, 1) for _ in range(4))


def test_large_frames_leave_room_too() -> None:
    calls, camera = TURNS.single_calls(Caller("large")), TURNS.stream(Caller("large"), 1.0)
    backlog = Backlog(max_waiting=10**9, max_bytes=9000)
    assert _fill(backlog, calls, 100) == 80
    assert backlog.enter(camera, 100)


def test_a_client_with_many_streams_leaves_room_for_others() -> None:
    many = [TURNS.stream(Caller("many"), 1.0) for _ in range(64)]
    backlog = Backlog(max_waiting=320, max_bytes=10**9)
    for stream in many * 10:
        backlog.enter(stream, 1)
    assert sum(stream.held for stream in many) == 302  # 16/17
    assert all(backlog.enter(TURNS.stream(Caller(str(i)), 1.0), 1) for i in range(8))


def test_as_many_streams_as_one_client_may_open_have_room_for_all_their_frames() -> None:
    """64 streams of ``Delivery.EVERY``, whose frames are never dropped, with the four that each may have in line."""
    server, engine = ServerConfig(), EngineConfig()
    backlog = Backlog(engine.max_queue, engine.max_queue_bytes)
    streams = [TURNS.stream(Caller("one"), 1.0) for _ in range(server.max_streams_per_client)]
    assert all(backlog.enter(stream, 1) for _ in range(MAX_UNANSWERED_EVERY) for stream in streams)


def test_it_says_its_bounds() -> None:
    assert str(Backlog(7, 512)) == "7 and hold at most 512 bytes"
