"""The queueing model against textbook values and against a simulation."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from ferserve.sizing.queueing import Queue
from tests.queue_simulation import simulate

FPS = 30.0


def test_one_processor_without_drops_is_the_textbooks_queue() -> None:
    queue = Queue(arrivals_per_s=80, service_s=0.01, processors=1, patience_s=math.inf)
    assert queue.load == pytest.approx(0.8)
    for seconds in (0.0, 0.01, 0.05):
        assert queue.waits_longer(seconds) == pytest.approx(0.8 * math.exp(-20 * seconds))
    assert queue.wait_quantile_s(0.99) == pytest.approx(math.log(0.8 / 0.01) / 20, rel=1e-3)
    assert queue.dropped() == 0


@pytest.mark.parametrize(
    ("processors", "offered", "waiting"), [(2, 1.0, 1 / 3), (2, 1.5, 9 / 14), (3, 2.0, 4 / 9), (5, 4.0, 0.5541)]
)
def test_without_drops_it_waits_as_erlang_c_says(processors: int, offered: float, waiting: float) -> None:
    queue = Queue(offered * 100, 0.01, processors, math.inf)
    assert queue.waits_longer(0.0) == pytest.approx(waiting, rel=1e-3)


@pytest.mark.parametrize(("load", "patience"), [(0.5, 3.0), (0.9, 2.0), (1.0, 4.0), (1.5, 3.0)])
def test_one_processor_drops_as_barrer_says(load: float, patience: float) -> None:
    """M/M/1+D with a service of 1: (1 - ρ) ρ exp(-(1-ρ) D) / (1 - ρ² exp(-(1-ρ) D)), and 1 / (D + 2) at ρ = 1."""
    fades = math.exp(-(1 - load) * patience)
    expected = 1 / (patience + 2) if load == 1 else (1 - load) * load * fades / (1 - load**2 * fades)
    assert Queue(load, 1.0, 1, patience).dropped() == pytest.approx(expected)


@pytest.mark.parametrize("processors", [1, 2, 64, 256])
def test_what_is_answered_is_what_the_processors_can_do(processors: int) -> None:
    for load in (1.5, 4.0, 50.0):
        queue = Queue(load * processors / 0.0015, 0.0015, processors, 1 / FPS, 0.75)
        assert 1 - queue.dropped() == pytest.approx(1 / load, rel=0.02)


def test_no_load_does_not_wait_and_an_endless_one_is_said() -> None:
    assert Queue(1e-6, 0.001, 2, 1 / FPS).wait_quantile_s(0.99) == 0
    assert Queue(1e-6, 0.001, 2, 1 / FPS).dropped() == pytest.approx(0, abs=1e-9)
    assert Queue(2000, 0.001, 1, math.inf).wait_quantile_s(0.99) == math.inf
    assert Queue(2000, 0.001, 1, math.inf).waits_longer(1.0) == 1
    assert 0.999 < Queue(1e9, 0.001, 1, 1 / FPS).dropped() <= 1


def _gamma(mean_s: float, variation: float) -> Callable[[random.Random], float]:
    return lambda luck: luck.gammavariate(1 / variation, mean_s * variation)


@pytest.mark.parametrize(
    ("cameras", "processors", "service_s"), [(16, 1, 0.00146), (40, 2, 0.0015), (32, 1, 0.00167), (60, 2, 0.0015)]
)
def test_cameras_with_even_steps_fare_no_worse(cameras: int, processors: int, service_s: float) -> None:
    """Drops under overload agree; below it real cameras, whose steps are even, wait less than the model says."""
    outcome = simulate(cameras, FPS, processors, _gamma(service_s, 0.5), seconds=20)
    queue = Queue(cameras * FPS, service_s, processors, 1 / FPS, 0.75)
    assert outcome.dropped <= queue.dropped() + 0.01
    if queue.load > 1:
        assert outcome.dropped == pytest.approx(queue.dropped(), abs=0.01)
    else:
        assert 0.25 < outcome.quantile_s(0.99) / queue.wait_quantile_s(0.99) < 1.05
