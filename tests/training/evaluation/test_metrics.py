"""How emotion models are scored and calibrated, against cases that are known and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest

from ferserve.labels import FER2013
from training.emotion_lite.temperature import cross_fitted_error, expected_calibration_error, fit_temperature, softmax
from training.evaluation.scores import score, wilson_interval


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


def test_calibration_error_of_a_known_case() -> None:
    confidence, correct = np.array([0.95, 0.95, 0.55, 0.55]), np.array([True, True, True, False])
    assert expected_calibration_error(confidence, correct) == pytest.approx(0.05)


def test_softmax_sums_to_one_on_large_logits() -> None:
    np.testing.assert_allclose(softmax(np.array([[1e4, 0.0]])), [[1, 0]])


def test_scores_agree_with_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(1)
    truth, probabilities = rng.integers(0, 7, 300), rng.dirichlet(np.ones(7), 300)
    got, said = score(probabilities, truth, FER2013), probabilities.argmax(axis=1)
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(truth, said, zero_division=0)
    np.testing.assert_allclose([entry.precision for entry in got.per_class.values()], precision)
    np.testing.assert_allclose([entry.recall for entry in got.per_class.values()], recall)
    np.testing.assert_allclose([entry.f1 for entry in got.per_class.values()], f1)
    np.testing.assert_array_equal(got.confusion, metrics.confusion_matrix(truth, said))
    assert got.accuracy_ci95[0] < got.accuracy < got.accuracy_ci95[1]
    assert wilson_interval(50, 100) == pytest.approx((0.4038, 0.5962), abs=1e-4)
