"""Pictures of the model card: confusion matrix and reliability diagram."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.emotion.scores import Scores


def _new(width: float, height: float) -> tuple[Any, Any]:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(width, height), layout="constrained")
    return figure, axes


def _save(figure: Any, path: Path) -> None:
    from matplotlib import pyplot

    figure.savefig(path, dpi=80, metadata={"Software": None})
    pyplot.close(figure)


def plot_confusion(scores: Scores, path: Path) -> None:
    """Shares of each true class (rows) by what was said (columns)."""
    labels = list(scores.per_class)
    counts = np.array(scores.confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure, axes = _new(6, 5)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(*shares.shape):
        colour = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, f"{shares[row, column]:.2f}", ha="center", va="center", color=colour, fontsize=8)
    axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right")
    axes.set_yticks(range(len(labels)), labels)
    axes.set_xlabel("said")
    axes.set_ylabel("true")
    figure.colorbar(image, label="share of the true class")
    _save(figure, path)


def plot_reliability(
    confidence: NDArray[np.floating[Any]], correct: NDArray[np.bool_], ece: float, path: Path, bins: int = 15
) -> None:
    """Accuracy by confidence (N,), with how many images stand behind each bar (Guo et al. 2017, figure 1)."""
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    rows = np.bincount(index, minlength=bins)
    hits = np.bincount(index, weights=correct.astype(float), minlength=bins) / np.maximum(rows, 1)
    left = np.arange(bins) / bins
    figure, axes = _new(5, 4.5)
    axes.bar(left, hits, 1 / bins, align="edge", edgecolor="white", label="accuracy")
    axes.bar(left, rows / rows.sum(), 1 / bins, align="edge", alpha=0.4, label="share of images")
    axes.plot([0, 1], [0, 1], "k--", linewidth=1, label="perfect")
    axes.set_xlabel("confidence")
    axes.set_ylabel("accuracy")
    axes.set_title(f"expected calibration error {ece:.1%}")
    axes.legend(loc="upper left")
    _save(figure, path)
