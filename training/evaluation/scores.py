"""Figures of a classifier on labelled images: accuracy with its interval, per-class table, calibration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.emotion_lite.temperature import expected_calibration_error

Z95 = 1.959964
"""Of the two-sided 95 % interval."""


@dataclass(frozen=True)
class ClassScore:
    """One row of the per-class table."""

    precision: float
    recall: float
    f1: float
    rows: int


@dataclass(frozen=True)
class Scores:
    """What probabilities (N, K) say about N labels. All shares are from 0 to 1."""

    rows: int
    accuracy: float
    accuracy_ci95: tuple[float, float]
    macro_f1: float
    ece: float
    per_class: dict[str, ClassScore]
    confusion: list[list[int]]
    """Rows are true classes, columns what was said."""


def wilson_interval(hits: int, rows: int) -> tuple[float, float]:
    """95 % confidence interval of a share (Wilson 1927, doi:10.1080/01621459.1927.10502953)."""
    share, spread = hits / rows, Z95**2 / rows
    centre = (share + spread / 2) / (1 + spread)
    half = Z95 * np.sqrt(share * (1 - share) / rows + spread / (4 * rows)) / (1 + spread)
    return float(centre - half), float(centre + half)


def score(probabilities: NDArray[np.floating[Any]], truth: NDArray[np.integer[Any]], labels: tuple[str, ...]) -> Scores:
    """Judge ``probabilities`` (N, K) against class indices ``truth`` (N,), in the order of ``labels``."""
    said = probabilities.argmax(axis=1)
    correct = said == truth
    confusion = np.zeros((len(labels), len(labels)), int)
    np.add.at(confusion, (truth, said), 1)
    per_class = {label: _class_score(confusion, k) for k, label in enumerate(labels)}
    return Scores(
        rows=len(truth),
        accuracy=float(correct.mean()),
        accuracy_ci95=wilson_interval(int(correct.sum()), len(truth)),
        macro_f1=float(np.mean([entry.f1 for entry in per_class.values()])),
        ece=expected_calibration_error(probabilities.max(axis=1), correct),
        per_class=per_class,
        confusion=confusion.tolist(),
    )


def _class_score(confusion: NDArray[np.int_], k: int) -> ClassScore:
    hits, said, true = int(confusion[k, k]), int(confusion[:, k].sum()), int(confusion[k].sum())
    precision, recall = hits / max(said, 1), hits / max(true, 1)
    return ClassScore(precision, recall, 2 * hits / max(said + true, 1), true)
