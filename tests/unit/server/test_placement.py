"""Which worker takes a stream and which sends it on."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import ExitStack

import pytest

from ferserve.errors import WrongWorkerError
from ferserve.server.workers.placement import GONE, Placement
from ferserve.wire.metadata import MOVABLE_KEY, MOVED, WORKER_KEY

MOVABLE = {MOVABLE_KEY: "1"}


@pytest.fixture
def counts() -> list[int]:
    return [GONE] * 4


@pytest.fixture
def workers(counts: list[int]) -> list[Placement]:
    placements = [Placement(index, counts) for index in range(4)]
    for placement in placements:
        placement.serve()
    return placements


def test_streams_that_try_at_random_end_up_even(workers: list[Placement], counts: list[int]) -> None:
    chance = random.Random(3)
    with ExitStack() as held:
        for _ in range(42):
            while True:
                try:
                    held.enter_context(chance.choice(workers).hold(MOVABLE))
                    break
                except WrongWorkerError:
                    continue
        assert Counter(counts) == {10: 2, 11: 2}
    assert counts == [0, 0, 0, 0]


def test_clients_that_cannot_move_stay_with_their_first_worker(workers: list[Placement], counts: list[int]) -> None:
    with workers[2].hold({}), workers[2].hold({}):
        assert counts == [0, 0, 2, 0]


def test_a_stream_goes_back_to_the_worker_with_its_tracks(workers: list[Placement], counts: list[int]) -> None:
    counts[1] = 5
    back = {**MOVABLE, WORKER_KEY: "1"}
    with pytest.raises(WrongWorkerError):
        workers[0].hold(back).__enter__()
    with workers[1].hold(back):
        assert counts[1] == 6


def test_if_its_worker_is_gone_it_goes_to_the_emptiest(workers: list[Placement], counts: list[int]) -> None:
    counts[:] = [3, GONE, 2, 3]
    back = {**MOVABLE, WORKER_KEY: "1"}
    with pytest.raises(WrongWorkerError):
        workers[0].hold(back).__enter__()
    with workers[2].hold(back):
        assert counts == [3, GONE, 3, 3]


def test_a_worker_that_leaves_sends_streams_on_and_counts_none(workers: list[Placement], counts: list[int]) -> None:
    with workers[3].hold({}):
        workers[3].leave()
        assert counts[3] == GONE
        with pytest.raises(WrongWorkerError):
            workers[3].hold(MOVABLE).__enter__()
    assert counts[3] == GONE


def test_the_last_one_that_leaves_moves_no_stream(counts: list[int]) -> None:
    with Placement(0, counts).hold(MOVABLE):
        assert counts[0] == GONE


def test_who_comes_again_on_a_connection_that_was_sent_on_stays(workers: list[Placement], counts: list[int]) -> None:
    """A proxy keeps that connection, so no other worker would ever be met."""
    counts[0] = 1
    again = {MOVABLE_KEY: MOVED}
    for metadata, peer in ((MOVABLE, "ipv4:10.0.0.1:1"), (again, "ipv4:10.0.0.1:2"), (MOVABLE, "ipv4:10.0.0.1:1")):
        with pytest.raises(WrongWorkerError):
            workers[0].hold(metadata, peer).__enter__()
    with workers[0].hold(again, "ipv4:10.0.0.1:2"):
        assert counts[0] == 2


def test_a_worker_with_an_endpoint_of_its_own_sends_nobody_on(counts: list[int]) -> None:
    worker = Placement(0, counts, has_endpoint=True)
    worker.serve()
    counts[0] = 7
    with worker.hold({**MOVABLE, WORKER_KEY: "1"}):
        assert counts[0] == 8
