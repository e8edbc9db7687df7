"""Pictures of the model card: confusion matrices and reliability diagram."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.evaluation.metrics import Scores


def _new(width: float, height: float, columns: int) -> tuple[Any, list[Any]]:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, columns, figsize=(width * columns, height), layout="constrained", squeeze=False)
    return figure, list(axes[0])


def _save(figure: Any, path: Path) -> None:
    from matplotlib import pyplot

    figure.savefig(path, dpi=80, metadata={"Software": None})
    pyplot.close(figure)


def plot_confusions(panels: Mapping[str, Scores], path: Path) -> None:
    """Shares of each true class (rows) by predicted class (columns), one panel per model."""
    figure, axes = _new(5.5, 5, len(panels))
    for ax, (title, scores) in zip(axes, panels.items(), strict=True):
        image = _draw_confusion(ax, scores)
        ax.set_title(title)
    figure.colorbar(image, ax=axes, label="share of the true class")
    _save(figure, path)


def _draw_confusion(axes: Any, scores: Scores) -> Any:
    labels = list(scores.per_class)
    counts = np.array(scores.confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(*shares.shape):
        colour = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, f"{shares[row, column]:.2f}", ha="center", va="center", color=colour, fontsize=8)
    axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right")
    axes.set_yticks(range(len(labels)), labels)
    axes.set_xlabel("said")
    axes.set_ylabel("true")
    return image


def plot_reliability(
    panels: Mapping[str, tuple[NDArray[np.floating[Any]], NDArray[np.bool_]]], path: Path, bins: int = 15
) -> None:
    """Accuracy by confidence (Guo et al. 2017, figure 1), with each bar's share of the images.

    One panel per title, from confidence (N,) and correctness (N,).
    """
    figure, axes = _new(4.5, 4.5, len(panels))
    for ax, (title, (confidence, correct)) in zip(axes, panels.items(), strict=True):
        _draw_reliability(ax, confidence, correct, bins)
        ax.set_title(title)
    axes[0].set_ylabel("accuracy")
    axes[0].legend(loc="upper left")
    _save(figure, path)


def _draw_reliability(axes: Any, confidence: NDArray[np.floating[Any]], correct: NDArray[np.bool_], bins: int) -> None:
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    rows = np.bincount(index, minlength=bins)
    hits = np.bincount(index, weights=correct.astype(float), minlength=bins) / np.maximum(rows, 1)
    left = np.arange(bins) / bins
    axes.bar(left, hits, 1 / bins, align="edge", edgecolor="white", label="accuracy")
    axes.bar(left, rows / rows.sum(), 1 / bins, align="edge", alpha=0.4, label="share of images")
    axes.plot([0, 1], [0, 1], "k--", linewidth=1, label="perfect")
    axes.set_xlabel("confidence")
