"""Metrics against cases that are known and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest

from ferserve.labels import FER2013
from training.evaluation.metrics import Predictions, expected_calibration_error, wilson_interval


def test_calibration_error_of_a_known_case() -> None:
    confidence, correct = np.array([0.95, 0.95, 0.55, 0.55]), np.array([True, True, True, False])
    assert expected_calibration_error(confidence, correct) == pytest.approx(0.05)


def test_scores_agree_with_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(1)
    truth, probabilities = rng.integers(0, 7, 300), rng.dirichlet(np.ones(7), 300)
    got, said = Predictions(FER2013, truth, probabilities).scores(), probabilities.argmax(axis=1)
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(truth, said, zero_division=0)
    np.testing.assert_allclose([entry.precision for entry in got.per_class.values()], precision)
    np.testing.assert_allclose([entry.recall for entry in got.per_class.values()], recall)
    np.testing.assert_allclose([entry.f1 for entry in got.per_class.values()], f1)
    np.testing.assert_array_equal(got.confusion, metrics.confusion_matrix(truth, said))
    assert got.accuracy_ci95[0] < got.accuracy < got.accuracy_ci95[1]
    assert wilson_interval(50, 100) == pytest.approx((0.4038, 0.5962), abs=1e-4)
