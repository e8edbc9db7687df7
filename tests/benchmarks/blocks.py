"""A block: calls that are timed for some ten milliseconds, short enough to take turns with another block.

The figure of a block is the lower quartile of its samples: what a call takes while nothing else is in its way, and
still the figure of a quarter of all samples, not of one lucky one.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tests.benchmarks.subjects.subject import Call

BLOCK_S = 0.01
SAMPLE_S = 0.000_2
"""Far below a time slice of the system (some ms), so that few samples are interrupted; far above the clock's step."""
LEAST_SAMPLES, MOST_SAMPLES = 3, 50
TURNS = 9
"""Pairs of blocks that a ratio is the median of."""


@dataclass(frozen=True)
class Plan:
    """``samples`` times ``calls`` calls."""

    calls: int
    samples: int


def plan(call: Call) -> Plan:
    """How to time ``call``; takes one block's time."""
    best = min(itertools.islice(_durations(call, 1), 3))
    calls = max(1, round(SAMPLE_S / best))
    if calls > 1:  # the first calls of a loop are slow
        best = min(itertools.islice(_durations(call, calls), 3)) / calls
        calls = max(1, round(SAMPLE_S / best))
    return Plan(calls, min(max(round(BLOCK_S / (best * calls)), LEAST_SAMPLES), MOST_SAMPLES))


def block(call: Call, planned: Plan) -> float:
    """Seconds per call."""
    samples = list(itertools.islice(_durations(call, planned.calls), planned.samples + 1))[1:]  # the caches are cold
    lower: float = statistics.quantiles(samples, n=4, method="inclusive")[0]
    return lower / planned.calls


def turns(ours: Call, yardstick: Call) -> list[tuple[float, float]]:
    """Seconds per call of both, measured in turns."""
    our_plan, its_plan = plan(ours), plan(yardstick)
    return [(block(ours, our_plan), block(yardstick, its_plan)) for _ in range(TURNS)]


def _durations(call: Call, calls: int) -> Iterator[float]:
    while True:
        began = time.perf_counter()
        for _ in itertools.repeat(None, calls):
            call()
        yield time.perf_counter() - began
