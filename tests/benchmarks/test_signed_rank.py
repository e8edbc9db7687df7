"""The decision of the paired comparison, against SciPy's test and against noise of known distribution."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.benchmarks.signed_rank import interval, least_rounds, smallest_seen

MARGIN = math.log(1.02)


def contaminated(rng: np.random.Generator, rounds: int) -> np.ndarray:
    """Log ratios of equal sides beside a busy machine: small noise, and now and then a round that went wrong."""
    return rng.normal(0, 0.01, rounds) + rng.choice([0, 1], rounds, p=[0.8, 0.2]) * rng.normal(0, 0.5, rounds)


@pytest.mark.parametrize("rounds", [8, 12, 25])
@pytest.mark.parametrize("error", [0.05, 0.004])
def test_the_interval_ends_where_the_exact_test_begins_to_reject(rounds: int, error: float) -> None:
    stats = pytest.importorskip("scipy.stats", reason="needs SciPy, of the extra test")
    for seed in range(20):
        values = np.random.default_rng(seed).normal(0.01, 0.02, rounds)
        low, high = interval(values, error).low, interval(values, error).high
        for bound, side, inside in ((low, "greater", 1e-9), (high, "less", -1e-9)):
            rejected = stats.wilcoxon(values - (bound - inside), alternative=side, method="exact").pvalue
            kept = stats.wilcoxon(values - (bound + inside), alternative=side, method="exact").pvalue
            assert rejected <= error < kept


def test_too_few_rounds_decide_nothing() -> None:
    error = 0.01 / 40
    assert least_rounds(error) == 12
    assert math.isinf(interval(np.full(11, 0.5), error).low)
    assert interval(np.full(12, 0.5), error).low == pytest.approx(0.5)


def test_equal_sides_are_seldom_called_slower() -> None:
    """Nobody forgives 5 % here: the bound is 1 %, and the margin makes it far less."""
    rng = np.random.default_rng(1)
    runs = [contaminated(rng, 12) for _ in range(2000)]
    assert np.mean([interval(run, 0.01).low > 0 for run in runs]) <= 0.015
    assert np.mean([interval(run, 0.01).low > MARGIN for run in runs]) <= 0.002


def test_a_slowdown_of_the_size_that_is_promised_is_found_nine_times_in_ten() -> None:
    rng = np.random.default_rng(2)
    seen = np.median([smallest_seen(rng.normal(0, 0.01, 16), 0.001, MARGIN) for _ in range(20)])
    runs = [rng.normal(seen, 0.01, 16) for _ in range(400)]
    assert np.mean([interval(run, 0.001).low > MARGIN for run in runs]) > 0.8
