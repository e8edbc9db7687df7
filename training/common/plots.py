"""Curves and confusion matrices as PNG files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray


def new_figure(width: float, height: float) -> Any:
    """A figure drawn without a display."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def plot_curves(history: Mapping[str, Sequence[float]], path: Path, title: str) -> None:
    """Loss and accuracy by epoch, training and validation, and the learning rate, side by side."""
    figure = new_figure(14, 4)
    for place, metric in enumerate(("loss", "accuracy", "learning_rate"), start=1):
        axes = figure.add_subplot(1, 3, place)
        for key in sorted(key for key in history if key.endswith(metric)):
            values = history[key]
            axes.plot(range(1, len(values) + 1), values, marker=".", label=key)
        name = metric.replace("_", " ")
        axes.set(xlabel="epoch", ylabel=name, title=f"{title}: {name}", yscale="log" if "rate" in name else "linear")
        axes.grid(alpha=0.3)
        if len(axes.lines) > 1:
            axes.legend()
    figure.savefig(path, dpi=110)


def plot_classes(counts: Mapping[str, Mapping[str, int]], path: Path, title: str) -> None:
    """One bar chart per part of a set: images by class."""
    figure = new_figure(max(4.0, 3.5 * len(counts)), 4)
    for place, (part, by_class) in enumerate(counts.items(), start=1):
        axes = figure.add_subplot(1, len(counts), place)
        bars = axes.bar(range(len(by_class)), list(by_class.values()))
        axes.bar_label(bars, fontsize="small")
        axes.set_xticks(range(len(by_class)), list(by_class), rotation=45, ha="right")
        axes.set(ylabel="images", title=f"{title}: {part}")
    figure.savefig(path, dpi=110)


def plot_confusion(counts: NDArray[np.int64], labels: Sequence[str], path: Path, title: str) -> None:
    """Confusion matrix in percent of the true class; ``counts`` (K, K) has one row per true class."""
    percent = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = 2.5 + 0.6 * len(labels)
    figure = new_figure(side, side)
    axes = figure.add_subplot()
    axes.imshow(percent, cmap="Blues", vmin=0, vmax=100)
    ticks = range(len(labels))
    axes.set_xticks(ticks, labels, rotation=45, ha="right")
    axes.set_yticks(ticks, labels)
    accuracy = 100 * counts.trace() / max(counts.sum(), 1)
    axes.set(xlabel="predicted", ylabel="true", title=f"{title}: {accuracy:.2f} %")
    for (row, column), value in np.ndenumerate(percent):
        color = "white" if value > 50 else "black"
        axes.text(column, row, f"{value:.0f}", ha="center", va="center", color=color)
    figure.savefig(path, dpi=110)
