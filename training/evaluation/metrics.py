"""What a model is worth on labelled images: accuracy, precision, recall and F1 of each class, confusion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Judgement:
    """Answers of one head on one part: ``truth`` and ``predicted`` int64 (N,), classes in the order of ``labels``."""

    labels: tuple[str, ...]
    truth: NDArray[np.int64]
    predicted: NDArray[np.int64]

    @property
    def accuracy(self) -> float:
        """Part of the answers that are right, in [0, 1]."""
        return float(np.mean(self.truth == self.predicted))

    @property
    def confusion(self) -> NDArray[np.int64]:
        """(K, K) counts, a row for each true class."""
        count = len(self.labels)
        return np.bincount(self.truth * count + self.predicted, minlength=count * count).reshape(count, count)

    def report(self) -> dict[str, Any]:
        """Precision, recall, F1 and support by class, with averages, as scikit-learn has them."""
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


def judge(probabilities: NDArray[np.float32], truth: NDArray[np.int64], labels: tuple[str, ...]) -> Judgement:
    """Judge answers float32 (N, K) by their most probable class."""
    return Judgement(labels, truth, probabilities.argmax(axis=1).astype(np.int64))
