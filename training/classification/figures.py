"""The figures of a run as the works print them: one table by part, one by epoch, one of mean probabilities.

Each function makes a Markdown table from what ``report.json`` holds, so that a run's tables can be printed again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from ferserve.errors import ConfigError
from training.common.markdown import grid
from training.evaluation.metrics import Predictions

Report: TypeAlias = Mapping[str, Any]
EPOCHS = (0, 5, 10, 15)
"""Epochs of the face attributes study's table, counted from 0 as it does."""


def part_figures(
    state_history: Mapping[str, Sequence[float]],
    epoch: int,
    sizes: Mapping[str, int],
    predictions: Mapping[str, Mapping[str, Predictions]],
) -> list[dict[str, Any]]:
    """Loss and accuracy side by side: of training and validation after ``epoch`` as Keras counted them, of each test.

    ``sizes`` are the images of ``train`` and, if there is one, ``validation``. Losses are mean cross-entropies; Keras's
    of several heads is their sum. Training images are augmented and seen with dropout.
    """
    heads = list(next(iter(predictions.values())))
    rows = []
    for part, images in sizes.items():
        prefix = "val_" if part == "validation" else ""
        for head in heads:
            name = f"{head}_" if len(heads) > 1 else ""
            loss = state_history.get(f"{prefix}{name}loss", state_history[f"{prefix}loss"])[epoch - 1]
            accuracy = state_history[f"{prefix}{name}accuracy"][epoch - 1]
            rows.append({"part": part, "head": head, "images": images, "loss": loss, "accuracy": accuracy})
    for part, by_head in predictions.items():
        for head, found in by_head.items():
            row = {"part": part, "head": head, "images": len(found.truth)}
            rows.append(row | {"loss": found.loss, "accuracy": found.accuracy})
    return rows


def parts_table(report: Report) -> str:
    """Training, validation and tests beside each other."""
    rows = [
        [row["part"], row["head"], str(row["images"]), f"{row['loss']:.4f}", f"{100 * row['accuracy']:.2f} %"]
        for row in report["figures"]
    ]
    return grid(("part", "head", "images", "loss", "accuracy"), rows)


def epochs_table(report: Report, epochs: Sequence[int] = EPOCHS) -> str:
    """Accuracy of each head after some epochs, counted from 0, and in the test: the face attributes study's table."""
    history, heads = report["history"], list(dict.fromkeys(row["head"] for row in report["figures"]))
    keys = [f"{head}_accuracy" if len(heads) > 1 else "accuracy" for head in heads]
    rows = []
    for epoch in (epoch for epoch in epochs if epoch < len(history["loss"])):
        cells = [f"{100 * history[f'{prefix}{key}'][epoch]:.1f}" for key in keys for prefix in ("", "val_")]
        rows.append([str(epoch), *cells])
    tests = {row["head"]: row for row in report["figures"] if row["part"] not in ("train", "validation")}
    rows.append(["test", *(cell for head in heads for cell in ("", f"{100 * tests[head]['accuracy']:.1f}"))])
    return grid(("epoch", *(f"{head} {part} %" for head in heads for part in ("training", "validation"))), rows)


def mean_probabilities(found: Predictions) -> list[list[float] | None]:
    """For the images of each class, the mean probability of every label; None for a class without images."""
    rows = [found.probabilities[found.truth == k] for k in range(len(found.labels))]
    return [[round(float(mean), 4) for mean in of_class.mean(axis=0)] if len(of_class) else None for of_class in rows]


def probabilities_table(labels: Sequence[str], means: Sequence[Sequence[float] | None]) -> str:
    """Mean probability per class, and the label that is most probable on average (Light-FER, Table 1)."""
    rows = []
    for label, row in zip(labels, means, strict=True):
        cells = [f"{value:.3f}" for value in row] + [labels[int(np.argmax(row))]] if row else [""] * (len(labels) + 1)
        rows.append([label, *cells])
    return grid(("true class", *labels, "prediction"), rows)


def run_tables(run: Path) -> str:
    """All tables of a finished run; raises :class:`ConfigError` that says how far another one is."""
    path = run / "report.json"
    try:
        report = json.loads(path.read_text())
        parts = [f"Loss and accuracy:\n\n{parts_table(report)}", f"Accuracy by epoch:\n\n{epochs_table(report)}"]
        for entry in report["probabilities"]:
            title = f"Mean probability per class, {entry['part']}, {entry['head']}"
            parts.append(f"{title}:\n\n{probabilities_table(entry['labels'], entry['means'])}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{run} must be the folder of a finished run, got {_progress(run, error)}") from None
    return "\n\n".join(parts) + "\n"


def _progress(run: Path, error: Exception) -> str:
    if (run / "report.json").is_file():
        return f"a report.json without its tables ({error!r}); `run … --resume` writes it again"
    return unfinished(run) or "no report.json there; `run` makes one"


def unfinished(run: Path) -> str:
    """How far a run is that has not written its model yet; empty for a folder without checkpoints."""
    try:
        epoch = json.loads((run / "checkpoints" / "state.json").read_text())["epoch"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return f"one that stands at epoch {epoch}; wait for its end, or go on with `run … --resume`"
