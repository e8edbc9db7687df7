"""Temperature scaling, against temperatures that are known."""

from __future__ import annotations

import numpy as np
import pytest

from training.emotion_lite.temperature import cross_fitted_error, fit_temperature, softmax
from training.evaluation.metrics import expected_calibration_error


def test_temperature_recovers_the_one_that_was_taken_away() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (20000, 5))
    labels = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)  # samples of the softmax (Gumbel's trick)
    assert fit_temperature(logits * 3, labels) == pytest.approx(3, rel=0.05)


def test_a_cross_fitted_calibration_error_does_not_see_the_temperature_that_the_logits_hold() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (20000, 5))
    labels = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    logarithms = np.log(softmax(logits * 3))
    overconfident = softmax(logits * 3)
    error = expected_calibration_error(overconfident.max(axis=1), overconfident.argmax(axis=1) == labels)
    assert error > 0.1
    assert cross_fitted_error(logits * 3, labels) < 0.02
    assert cross_fitted_error(logarithms, labels) == pytest.approx(cross_fitted_error(logits, labels), abs=1e-3)


def test_softmax_sums_to_one_on_large_logits() -> None:
    np.testing.assert_allclose(softmax(np.array([[1e4, 0.0]])), [[1, 0]])
