"""Measures a model file as it is served: its own spec, the serving preprocessing, ONNX Runtime on one thread."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferserve.labels import CLARITY, CLEAR, MIN_CERTAINTY
from training.evaluation.labelled import load_labelled
from training.evaluation.metrics import Predictions, Scores
from training.evaluation.served_model import ServedModel, judged_labels, label_set_of


@dataclass(frozen=True)
class Evaluation:
    """A model's figures on one file and head."""

    model: str
    data: str
    split: str
    head: str
    labels: str
    """The label set by which it is judged."""
    flip: bool
    """Whether probabilities are the mean over both mirror images."""
    flip_consistency: float
    """Share of images whose label stays the same when mirrored."""
    images_per_second: float
    """One ONNX Runtime thread, batch 1, without preprocessing."""
    agreed_rows: int
    """Rows on which the taggers agree; see :attr:`training.evaluation.labelled.Labelled.agreed`."""
    agreed_accuracy: float
    """Accuracy on those; NaN (null in JSON) if there is no such row."""
    sure_share: float
    """Share of images that serving calls sure (:attr:`ferserve.types.Face.sure`)."""
    sure_accuracy: float
    """Accuracy on those; NaN (null in JSON) if there is no such image."""
    scores: Scores


def evaluate(
    model: Path,
    data: Path,
    head: str,
    flip: bool = False,
    split: str = "test",
    seconds: float = 2.0,
    labels: str | None = None,
) -> Evaluation:
    """Measure one head of ``model`` on ``data``; its speed is taken over ``seconds``.

    ``head`` is the name of a head, or of a label set for the first head that has it. ``labels`` judges it by another
    label set than its own: FER+'s labels count as FER2013's of the same meaning, contempt as wrong.

    ``data`` is an npz file with ``images`` uint8 (N, H, W) and, by head, ``ferplus_votes`` (N, 10) or ``labels`` (N,).
    Raises :class:`ferserve.errors.FerserveError` if the files do not fit each other.
    """
    served = ServedModel(model)
    chosen = served.head(head)
    label_set = labels or label_set_of(chosen)
    answered = judged_labels(chosen, label_set)
    rows = load_labelled(data, label_set, split)
    straight_rows = served.rows(rows.images)
    straight = served.in_order(straight_rows, head, label_set)
    mirrored = served.in_order(served.rows(np.ascontiguousarray(rows.images[:, :, ::-1])), head, label_set)
    same = straight.argmax(axis=1) == mirrored.argmax(axis=1)
    answers = Predictions(answered, rows.truth, (straight + mirrored) / 2 if flip else straight)
    sure = answers.probabilities.max(axis=1) * _clear(served, straight_rows) >= MIN_CERTAINTY
    return Evaluation(
        model=str(model), data=str(data), split=split, head=chosen.name, labels=label_set, flip=flip,
        flip_consistency=float(same.mean()),
        images_per_second=served.images_per_second(straight_rows, seconds),
        agreed_rows=int(rows.agreed.sum()), agreed_accuracy=_share(answers.correct[rows.agreed]),
        sure_share=float(sure.mean()), sure_accuracy=_share(answers.correct[sure]),
        scores=answers.scores(),
    )  # fmt: skip


def _clear(served: ServedModel, rows: NDArray[Any]) -> NDArray[np.float32]:
    """Probability (N,) that a face is readable at all; 1 if the model has no such head."""
    for head in served.spec.heads:
        if head.name == CLARITY and CLEAR in head.labels:
            return served.probabilities(rows, head)[:, head.labels.index(CLEAR)]
    return np.ones(len(rows), np.float32)


def _share(correct: NDArray[np.bool_]) -> float:
    return float(correct.mean()) if len(correct) else math.nan


def to_json(evaluation: Evaluation) -> str:
    """One JSON object; the scores are merged into it."""
    value = asdict(evaluation)
    for name in ("agreed_accuracy", "sure_accuracy"):
        if math.isnan(value[name]):  # JSON knows no NaN
            value[name] = None
    scores = value.pop("scores")
    return json.dumps({**value, **scores}, allow_nan=False)


def to_text(evaluation: Evaluation) -> str:
    """A table for people."""
    scores = evaluation.scores
    low, high = scores.accuracy_ci95
    lines = [
        f"{evaluation.model}, head {evaluation.head}, {scores.rows} images of {evaluation.data} ({evaluation.split})",
        f"accuracy          {scores.accuracy:.2%}  (95 % interval {low:.2%} to {high:.2%})",
        *_agreed_line(evaluation),
        f"where sure        {evaluation.sure_accuracy:.2%}  ({evaluation.sure_share:.2%} of the images)",
        f"balanced accuracy {scores.balanced_accuracy:.2%}",
        f"macro F1          {scores.macro_f1:.3f}",
        f"calibration error {scores.ece:.2%}",
        f"flip consistency  {evaluation.flip_consistency:.2%}",
        f"speed             {evaluation.images_per_second:,.0f} images/s (one thread, batch 1)",
        f"{'class':12} {'precision':>9} {'recall':>9} {'F1':>9} {'rows':>6}",
    ]
    for label, entry in scores.per_class.items():
        lines.append(f"{label:12} {entry.precision:9.3f} {entry.recall:9.3f} {entry.f1:9.3f} {entry.rows:6d}")
    return "\n".join(lines)


def _agreed_line(evaluation: Evaluation) -> Iterator[str]:
    if evaluation.agreed_rows:
        yield f"where agreed      {evaluation.agreed_accuracy:.2%}  ({evaluation.agreed_rows} images)"
