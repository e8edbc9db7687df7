"""Wilcoxon's signed-rank test (Biometrics Bulletin 1, 1945), exact, and the interval that belongs to it.

If two sides are equally fast, the log ratio of a round is as likely above zero as below, whatever its distribution
is. The interval is Hodges and Lehmann's (Annals of Mathematical Statistics 34, 1963): order statistics of the means of
all pairs of rounds. The test says "slower by more than the margin" exactly when the interval begins above it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Interval:
    """Of a log ratio: best estimate, and bounds that each miss the truth with the given probability."""

    middle: float
    low: float
    high: float


@lru_cache
def least_rounds(error: float) -> int:
    """Rounds from which on a bound with this error exists: all signs agree by chance once in 2^rounds."""
    return math.ceil(-math.log2(error))


@lru_cache
def _rank(rounds: int, error: float) -> int:
    """How many of the least pair means lie outside of the interval; 0 if it is unbounded."""
    ways = np.zeros(rounds * (rounds + 1) // 2 + 1)
    ways[0] = 1.0
    for rank in range(1, rounds + 1):  # each rank is positive or not
        ways[rank:] = ways[rank:] + ways[:-rank]
    return int(np.searchsorted(np.cumsum(ways) / 2.0**rounds, error, side="right"))


def interval(log_ratios: NDArray[np.float64], error: float) -> Interval:
    """Of the centre of ``log_ratios`` (rounds,); infinite bounds if there are too few rounds for ``error``."""
    rounds = len(log_ratios)
    rows, columns = np.triu_indices(rounds)
    means = np.sort((log_ratios[rows] + log_ratios[columns]) / 2)
    rank = _rank(rounds, error)
    low, high = (means[rank - 1], means[-rank]) if rank else (-math.inf, math.inf)
    return Interval(float(np.median(means)), float(low), float(high))


def smallest_seen(log_ratios: NDArray[np.float64], error: float, margin: float, power: float = 0.9) -> float:
    """The log slowdown that a run like this one calls slower with probability ``power``, by bootstrap."""
    rng = np.random.default_rng(0)
    noise = log_ratios - np.median(log_ratios)
    draws = rng.choice(noise, (200, len(noise)))
    needed = [margin - interval(draw, error).low for draw in draws]
    return float(np.quantile(needed, power))
