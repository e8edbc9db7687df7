"""Whatever the mix of streams and single calls, each client and each stream gets its share of the time."""

from __future__ import annotations

import heapq
import itertools
import weakref
from collections import Counter
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ferserve.scheduling.caller import Caller
from ferserve.scheduling.turns import Flow, Turn, Turns

LARGEST = 8.0
"""Cost of the largest turn, in seconds of the simulated threads."""
costs = st.floats(0.2, LARGEST)


@dataclass
class Source:
    """A stream, or a client's callers, whose turns cost ``costs`` again and again."""

    client: str
    costs: list[float]
    weight: float = 1.0
    calls: int = 0
    """How many single calls are in flight all the time; 0 for a stream, which has one frame in line."""
    served: float = 0.0
    next_cost: itertools.cycle[float] = field(init=False)

    def __post_init__(self) -> None:
        self.next_cost = itertools.cycle(self.costs)


def simulate(sources: list[Source], seconds: float, threads: int = 1, trusted: bool = False) -> list[Source]:
    """Let all sources want turns all the time, and give out ``seconds`` of the threads' time."""
    turns: Turns[Source] = Turns()
    flows: list[Flow[Source]] = []
    for source in sources:
        caller = Caller(source.client, trusted)
        flows.append(turns.single_calls(caller) if source.calls else turns.stream(caller, source.weight))
        for _ in range(source.calls or 1):
            turns.put(flows[-1], source)
    running: list[tuple[float, int, float, Turn[Source]]] = []
    now, order = 0.0, itertools.count()
    while now < seconds:
        while len(running) < threads and len(turns):
            turn = turns.take()
            cost = next(turn.work.next_cost)
            heapq.heappush(running, (now + cost, next(order), cost, turn))
        now, _, cost, turn = heapq.heappop(running)
        turn.work.served += cost
        turns.end(turn, cost)
        turns.put(turn.flow, turn.work)
    return sources


def sources_of(client: str) -> st.SearchStrategy[list[Source]]:
    stream = st.builds(
        Source, st.just(client), st.lists(costs, min_size=1, max_size=5), st.sampled_from([0.25, 1.0, 4.0])
    )
    calls = st.builds(
        Source, st.just(client), st.lists(costs, min_size=1, max_size=5), st.just(1.0), st.integers(1, 32)
    )
    mixes = st.tuples(st.lists(stream, max_size=4), st.lists(calls, max_size=1)).map(lambda pair: pair[0] + pair[1])
    return mixes.filter(bool)


@settings(deadline=None, max_examples=60)
@given(sources_of("only one"), st.floats(100, 400))
def test_any_mix_of_one_client_gets_its_shares_within_one_turn(sources: list[Source], seconds: float) -> None:
    simulate(sources, seconds)
    served = [source.served / source.weight for source in sources]
    largest = [max(source.costs) / source.weight for source in sources]
    for (a, turn_a), (b, turn_b) in itertools.combinations(zip(served, largest, strict=True), 2):
        assert abs(a - b) <= turn_a + turn_b + 1e-6


@settings(deadline=None, max_examples=60)
@given(st.tuples(*map(sources_of, "abc")), st.floats(100, 400))
def test_clients_get_the_same_whatever_they_send_and_claim(mixes: tuple[list[Source], ...], seconds: float) -> None:
    """But for a low priority, with which a client asks for less than its share."""
    sources = [replace(source, weight=max(source.weight, 1.0)) for mix in mixes for source in mix]
    served: Counter[str] = Counter()
    for source in simulate(sources, seconds):
        served[source.client] += source.served
    shares = sorted(served.values())
    assert shares[-1] - shares[0] <= 2 * LARGEST + 1e-6


@settings(deadline=None, max_examples=60)
@given(st.tuples(*map(sources_of, "abc")), st.integers(2, 8))
def test_with_several_threads_each_adds_one_turn(mixes: tuple[list[Source], ...], threads: int) -> None:
    """Clients that have as many calls in flight as there are threads can use any share."""
    sources = [Source(mix[0].client, mix[0].costs, calls=2 * threads) for mix in mixes]
    simulate(sources, 400, threads)
    shares = sorted(source.served for source in sources)
    assert shares[-1] - shares[0] <= (2 + threads) * LARGEST + 1e-6


def test_a_stream_that_wants_little_is_next_whatever_waits() -> None:
    turns: Turns[str] = Turns()
    caller = Caller("all of them")
    camera = turns.stream(caller, 1.0)
    busy = [turns.stream(caller, 1.0) for _ in range(20)]
    calls = turns.single_calls(caller)
    for flow in (camera, *busy, *[calls] * 16):
        turns.put(flow, "busy")
    for _ in range(10):
        for _ in range(30):
            turn = turns.take()
            turns.end(turn, 1.0)
            if turn.flow is not camera:
                turns.put(turn.flow, "busy")
        turns.put(camera, "camera")
        waited = 1
        while (turn := turns.take()).work != "camera":
            turns.end(turn, 1.0)
            turns.put(turn.flow, "busy")
            waited += 1
        turns.end(turn, 0.1)
        assert waited <= 22  # of 37 pieces that stand in line, at most those whose tags are not later


def test_new_streams_do_not_go_before_what_others_send() -> None:
    """Nobody knows yet what their turns cost, and two threads take up one after the other."""
    turns: Turns[str] = Turns()
    camera = turns.stream(Caller("camera"), 1.0)
    turns.put(camera, "camera")
    turns.end(turns.take(), 0.005)
    new = [turns.stream(Caller("greedy"), 1.0) for _ in range(8)]
    for flow in new:
        turns.put(flow, "greedy")
    first = turns.take()
    turns.put(camera, "camera")
    assert [first.work, turns.take().work, turns.take().work] == ["greedy", "camera", "greedy"]


@pytest.mark.parametrize("newcomers", ["flood", "all of them"])
def test_a_camera_does_not_wait_for_all_that_is_new(newcomers: str) -> None:
    """Sixty streams are opened at once, of its own client or of others; each frame costs the same."""
    turns: Turns[str] = Turns()
    camera = turns.stream(Caller("all of them"), 1.0)
    for _ in range(5):
        turns.put(camera, "camera")
        turns.end(turns.take(), 0.004)
    new = [turns.stream(Caller(newcomers), 1.0) for _ in range(60)]
    for flow in new:
        turns.put(flow, "new")
    turns.end(turns.take(), 0.004)
    waits: list[int] = []
    for _ in range(2):
        turns.put(camera, "camera")
        waits.append(0)
        while (turn := turns.take()).work != "camera":
            turns.end(turn, 0.004)
            turns.put(turn.flow, "new")
            waits[-1] += 1
        turns.end(turn, 0.004)
        for _ in range(50):  # until its next frame
            turn = turns.take()
            turns.end(turn, 0.004)
            turns.put(turn.flow, "new")
    assert waits[0] == 0
    assert waits[1] <= 60 - 51


def test_who_is_passed_over_is_next() -> None:
    turns: Turns[str] = Turns()
    flows = {name: turns.stream(Caller(name[0]), 1.0) for name in ("a1", "a2", "b")}
    for name, flow in flows.items():
        turns.put(flow, name)
    first = turns.next()
    assert first is flows["a1"]
    passed = {flows["a1"], flows["a2"]}
    assert turns.next(lambda flow: flow in passed) is flows["b"]
    turn = turns.take(flows["b"])
    assert turn.work == "b"
    assert turns.next(lambda flow: flow in passed) is None
    turns.end(turn, 1.0)
    turns.put(flows["b"], "b")
    assert turns.take().work == "a1"
    assert len(turns) == 2


@pytest.mark.parametrize("newcomers", [1, 3])
def test_ever_new_clients_starve_nobody(newcomers: int) -> None:
    """Single calls under one new name each, ``newcomers`` of them always in line."""
    turns: Turns[str] = Turns()
    stream = turns.stream(Caller("old"), 1.0)
    turns.put(stream, "old")
    names = itertools.count()
    served: Counter[str] = Counter()

    def come() -> None:
        turns.put(turns.single_calls(Caller(f"new {next(names)}")), "new")

    for _ in range(newcomers):
        come()
    for _ in range(1000):
        turn = turns.take()
        served[turn.work] += 1
        if turn.work == "new":
            come()  # before the turn ends: one is always there
        turns.end(turn, 1.0)
        if turn.work == "old":
            turns.put(stream, "old")
    assert served["old"] >= 1000 / (newcomers + 2)


@pytest.mark.parametrize("clients", ["aa", "ab"])
def test_nobody_saves_up_turns(clients: str) -> None:
    turns: Turns[int] = Turns()
    rested, busy = (turns.stream(Caller(client), 1.0) for client in clients)

    def serve(count: int) -> Counter[int]:
        served: Counter[int] = Counter()
        for _ in range(count):
            turn = turns.take()
            served[turn.work] += 1
            turns.end(turn, 1.0)
            turns.put(turn.flow, turn.work)
        return served

    turns.put(rested, 1)
    turns.end(turns.take(), 1.0)
    turns.put(busy, 0)
    serve(100)
    turns.put(rested, 1)
    assert serve(40)[1] == pytest.approx(20, abs=1)


def test_a_high_priority_orders_the_clients_own_streams_only() -> None:
    mixes = [Source("loud", [1.0], 4.0), Source("loud", [1.0], 1.0), Source("modest", [1.0], 1.0)]
    high, normal, modest = simulate(mixes, 1000)
    assert high.served + normal.served == pytest.approx(500, abs=2)
    assert high.served == pytest.approx(400, abs=5)
    assert modest.served == pytest.approx(500, abs=2)


def test_the_high_priority_of_a_trusted_client_counts_among_clients() -> None:
    mixes = [Source("operator", [1.0], 4.0), Source("other", [1.0], 1.0)]
    operator, other = simulate(mixes, 1000, trusted=True)
    assert operator.served == pytest.approx(800, abs=5)
    assert other.served == pytest.approx(200, abs=5)


def test_a_low_priority_yields_to_other_clients_too() -> None:
    modest, other = simulate([Source("modest", [1.0], 0.25), Source("other", [1.0])], 1000)
    assert modest.served == pytest.approx(200, abs=5)
    assert other.served == pytest.approx(800, abs=5)


def test_a_client_is_forgotten_with_its_last_stream_and_call() -> None:
    turns: Turns[str] = Turns()
    stream, calls = turns.stream(Caller("a"), 1.0), turns.single_calls(Caller("a"))
    client = weakref.ref(stream.client)
    assert calls.client is stream.client
    turns.put(calls, "call")
    turns.end(turns.take(), 1.0)
    del calls
    assert client() is not None
    del stream
    assert client() is None
    assert len(turns) == 0
