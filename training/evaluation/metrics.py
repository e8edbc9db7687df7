"""Metrics of a classifier's answers: accuracy with its interval, per-class table, confusion, calibration error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Z95 = 1.959964
"""Standard score of the two-sided 95 % interval."""


@dataclass(frozen=True)
class ClassScore:
    """One row of the per-class table."""

    precision: float
    recall: float
    f1: float
    rows: int


@dataclass(frozen=True)
class Scores:
    """Metrics of N answers. All shares are from 0 to 1."""

    rows: int
    accuracy: float
    accuracy_ci95: tuple[float, float]
    balanced_accuracy: float
    """Mean recall of the classes that have rows."""
    macro_f1: float
    ece: float
    """Expected calibration error; see :func:`expected_calibration_error`."""
    per_class: dict[str, ClassScore]
    confusion: list[list[int]]
    """Rows are true classes, columns are predicted ones."""


@dataclass(frozen=True)
class Predictions:
    """Answers of one head on one part of a data set: N images, K classes in the order of ``labels``."""

    labels: tuple[str, ...]
    truth: NDArray[np.integer[Any]]
    """(N,) class indices."""
    probabilities: NDArray[np.floating[Any]]
    """(N, K)."""

    @property
    def predicted(self) -> NDArray[np.int64]:
        """(N,) the most probable classes."""
        return np.asarray(self.probabilities.argmax(axis=1), np.int64)

    @property
    def correct(self) -> NDArray[np.bool_]:
        """(N,) whether each answer is right."""
        return np.asarray(self.predicted == self.truth)

    @property
    def accuracy(self) -> float:
        """Share of right answers, in [0, 1]."""
        return float(self.correct.mean())

    @property
    def loss(self) -> float:
        """Mean cross-entropy, natural logarithm, of probabilities no smaller than Keras takes them (1e-7)."""
        of_truth = self.probabilities[np.arange(len(self.truth)), self.truth]
        return float(-np.log(np.clip(of_truth, 1e-7, 1)).mean())

    @property
    def confusion(self) -> NDArray[np.int64]:
        """(K, K) counts: rows are true classes, columns are predicted ones."""
        count = len(self.labels)
        cells = self.truth.astype(np.int64) * count + self.predicted
        return np.bincount(cells, minlength=count * count).reshape(count, count)

    def scores(self) -> Scores:
        """All metrics."""
        confusion, correct = self.confusion, self.correct
        per_class = {label: _class_score(confusion, k) for k, label in enumerate(self.labels)}
        return Scores(
            rows=len(correct),
            accuracy=self.accuracy,
            accuracy_ci95=wilson_interval(int(correct.sum()), len(correct)),
            balanced_accuracy=float(np.mean([entry.recall for entry in per_class.values() if entry.rows])),
            macro_f1=float(np.mean([entry.f1 for entry in per_class.values()])),
            ece=expected_calibration_error(self.probabilities.max(axis=1), correct),
            per_class=per_class,
            confusion=confusion.tolist(),
        )

    def report(self) -> dict[str, Any]:
        """Precision, recall, F1 and support per class, with averages, as scikit-learn names them."""
        return dict(self._sklearn_report(True))

    def text(self) -> str:
        """:meth:`report` as a table for people."""
        return str(self._sklearn_report(False))

    def _sklearn_report(self, as_dict: bool) -> Any:
        from sklearn.metrics import classification_report

        return classification_report(
            self.truth,
            self.predicted,
            labels=list(range(len(self.labels))),
            target_names=list(self.labels),
            output_dict=as_dict,
            zero_division=0.0,
            digits=4,
        )


def _class_score(confusion: NDArray[np.int64], k: int) -> ClassScore:
    hits, predicted, true = int(confusion[k, k]), int(confusion[:, k].sum()), int(confusion[k].sum())
    precision, recall = hits / max(predicted, 1), hits / max(true, 1)
    return ClassScore(precision, recall, 2 * hits / max(predicted + true, 1), true)


def wilson_interval(hits: int, rows: int) -> tuple[float, float]:
    """95 % confidence interval of a share (Wilson 1927, doi:10.1080/01621459.1927.10502953)."""
    share, spread = hits / rows, Z95**2 / rows
    centre = (share + spread / 2) / (1 + spread)
    half = Z95 * np.sqrt(share * (1 - share) / rows + spread / (4 * rows)) / (1 + spread)
    return float(centre - half), float(centre + half)


def expected_calibration_error(
    confidence: NDArray[np.floating[Any]], correct: NDArray[np.bool_], bins: int = 15
) -> float:
    """Mean gap between confidence (N,) and accuracy over equally wide bins, weighted by their rows.

    Guo et al. 2017, arXiv:1706.04599, eq. 3.
    """
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    rows = np.bincount(index, minlength=bins)
    sums = np.bincount(index, weights=confidence, minlength=bins)
    hits = np.bincount(index, weights=correct.astype(float), minlength=bins)
    return float(np.abs(sums - hits).sum() / max(rows.sum(), 1))
