"""``python -m training evaluate MODEL.onnx --data FILE.npz --head ferplus|fer2013 [--flip] [--json]``.

MODEL may also be the folder of a run: then --data is what it was trained on, in any form, and every test part and head
is judged (``training/evaluation/evaluate_run.py``).

Measures a model file as it is served: its own spec, the serving preprocessing, ONNX Runtime on one thread. FILE.npz
holds ``images`` uint8 (N, H, W) and, by head, ``ferplus_votes`` (N, 10) or ``labels`` (N,). Where it also holds
``usage``, training rows (0) are left out as long as others are there, unless ``--split`` asks for them.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferserve.errors import ConfigError
from ferserve.labels import CLARITY, CLEAR, LABEL_SETS, MIN_CERTAINTY
from training.data.arrays import VOTES, luma_images, read_arrays, whole_numbers
from training.errors import DataError
from training.evaluation.scores import Scores, score
from training.evaluation.served_model import ServedModel

USAGES = ("train", "public_test", "private_test")


@dataclass(frozen=True)
class Evaluation:
    """A model's figures on one file and head."""

    model: str
    data: str
    split: str
    head: str
    flip: bool
    """Whether probabilities are the mean of both mirror images."""
    flip_consistency: float
    """Share of images whose label stays the same when mirrored."""
    images_per_second: float
    """One ONNX Runtime thread, batch 1, without preprocessing."""
    agreed_rows: int
    """Rows on which the label is beyond doubt; see :attr:`Labelled.agreed`."""
    agreed_accuracy: float
    """NaN where there is no such row, null in JSON."""
    sure_share: float
    """Share of images of which serving would not say "not sure" (:attr:`ferserve.types.Face.sure`)."""
    sure_accuracy: float
    """On those; NaN where there are none, null in JSON."""
    scores: Scores


@dataclass(frozen=True)
class Labelled:
    """Images with the truth of one head."""

    images: NDArray[np.uint8]
    truth: NDArray[np.int64]
    agreed: NDArray[np.bool_]
    """Rows whose label holds more than half of the votes once single votes are dropped: the rows that FER+'s authors
    keep for majority voting (Barsoum et al. 2016, section 3.1). None where there are no votes."""
    split: str


def load_labelled(path: Path, label_set: str, split: str = "test") -> Labelled:
    """Read the rows of ``split`` that have a label in ``label_set``.

    ``test`` means all rows that are not training rows, or all rows where ``usage`` is missing or knows only training.
    For ``ferplus`` the truth is the majority of the ten votes (the first in order where votes are even); rows whose
    majority is unknown or not-a-face have none. Raises :class:`DataError`.
    """
    arrays = read_arrays(path)
    images = luma_images(arrays, path)
    keep = _rows_of_split(_optional(arrays, "usage", len(images), path), len(images), split, path)
    if label_set == "ferplus":
        votes = whole_numbers(arrays, "ferplus_votes", (len(images), VOTES), 255, path)
        truth, agreed = votes.argmax(axis=1), _agreed(votes)
        keep &= (truth < len(LABEL_SETS[label_set])) & (votes.max(axis=1) > 0)
    else:
        truth = whole_numbers(arrays, "labels", (len(images),), len(LABEL_SETS[label_set]) - 1, path)
        agreed = np.zeros(len(images), np.bool_)
    if not keep.any():
        raise DataError(f"{path}: split {split!r} must hold at least one row labelled for {label_set}, got none")
    return Labelled(images[keep], truth[keep], agreed[keep], split)


def _agreed(votes: NDArray[np.int64]) -> NDArray[np.bool_]:
    kept = np.where(votes > 1, votes, 0)
    return np.asarray(2 * kept.max(axis=1) > kept.sum(axis=1), np.bool_)


def _optional(arrays: Mapping[str, NDArray[Any]], name: str, count: int, path: Path) -> NDArray[np.int64] | None:
    return whole_numbers(arrays, name, (count,), len(USAGES) - 1, path) if name in arrays else None


def _rows_of_split(usage: NDArray[np.int64] | None, count: int, split: str, path: Path) -> NDArray[np.bool_]:
    if split == "all" or (split == "test" and (usage is None or not usage.any())):
        return np.ones(count, np.bool_)
    if usage is None:
        raise DataError(f"{path}: arrays must hold 'usage' to choose split {split!r}, got none; leave --split out")
    return usage > 0 if split == "test" else usage == USAGES.index(split)


def evaluate(
    model: Path, data: Path, label_set: str, flip: bool = False, split: str = "test", seconds: float = 2.0
) -> Evaluation:
    """Measure ``model`` on ``data``, its speed for so many ``seconds``.

    Raises :class:`ferserve.errors.FerserveError` where the files do not fit each other.
    """
    served = ServedModel(model)
    head = served.head(label_set)
    rows = load_labelled(data, label_set, split)
    straight_rows = served.rows(rows.images)
    straight = served.in_order(straight_rows, label_set)
    mirrored = served.in_order(served.rows(np.ascontiguousarray(rows.images[:, :, ::-1])), label_set)
    same = straight.argmax(axis=1) == mirrored.argmax(axis=1)
    probabilities = (straight + mirrored) / 2 if flip else straight
    correct = probabilities.argmax(axis=1) == rows.truth
    sure = probabilities.max(axis=1) * _clear(served, straight_rows) >= MIN_CERTAINTY
    return Evaluation(
        model=str(model), data=str(data), split=split, head=head.name, flip=flip, flip_consistency=float(same.mean()),
        images_per_second=served.images_per_second(straight_rows, seconds),
        agreed_rows=int(rows.agreed.sum()), agreed_accuracy=_share(correct[rows.agreed]),
        sure_share=float(sure.mean()), sure_accuracy=_share(correct[sure]),
        scores=score(probabilities, rows.truth, LABEL_SETS[label_set]),
    )  # fmt: skip


def _clear(served: ServedModel, rows: NDArray[Any]) -> NDArray[np.float32]:
    """Probability (N,) that a face can be read at all; 1 for models that do not tell."""
    for head in served.spec.heads:
        if head.name == CLARITY and CLEAR in head.labels:
            return served.probabilities(rows, head)[:, head.labels.index(CLEAR)]
    return np.ones(len(rows), np.float32)


def _share(correct: NDArray[np.bool_]) -> float:
    return float(correct.mean()) if len(correct) else math.nan


def to_json(evaluation: Evaluation) -> str:
    """One JSON object; the scores stand beside the rest."""
    value = asdict(evaluation)
    for name in ("agreed_accuracy", "sure_accuracy"):
        if math.isnan(value[name]):  # JSON knows no NaN
            value[name] = None
    scores = value.pop("scores")
    return json.dumps({**value, **scores}, allow_nan=False)


def to_text(evaluation: Evaluation) -> str:
    """The same for people."""
    scores = evaluation.scores
    low, high = scores.accuracy_ci95
    lines = [
        f"{evaluation.model}, head {evaluation.head}, {scores.rows} images of {evaluation.data} ({evaluation.split})",
        f"accuracy          {scores.accuracy:.2%}  (95 % interval {low:.2%} to {high:.2%})",
        *_agreed_line(evaluation),
        f"where sure        {evaluation.sure_accuracy:.2%}  ({evaluation.sure_share:.2%} of the images)",
        f"macro F1          {scores.macro_f1:.3f}",
        f"calibration error {scores.ece:.2%}",
        f"flip consistency  {evaluation.flip_consistency:.2%}",
        f"speed             {evaluation.images_per_second:,.0f} images/s (one thread, batch 1)",
        f"{'class':12} {'precision':>9} {'recall':>9} {'F1':>9} {'rows':>6}",
    ]
    for label, entry in scores.per_class.items():
        lines.append(f"{label:12} {entry.precision:9.3f} {entry.recall:9.3f} {entry.f1:9.3f} {entry.rows:6d}")
    return "\n".join(lines)


def _agreed_line(evaluation: Evaluation) -> list[str]:
    if not evaluation.agreed_rows:
        return []
    return [f"where agreed      {evaluation.agreed_accuracy:.2%}  ({evaluation.agreed_rows} images)"]


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser("python -m training evaluate", description=__doc__)
    parser.add_argument("model", type=Path, metavar="MODEL.onnx|RUN")
    parser.add_argument("--data", type=Path, required=True, metavar="FILE.npz")
    parser.add_argument("--head", choices=tuple(LABEL_SETS), help="ferplus by default")
    parser.add_argument("--split", choices=("test", "all", *USAGES), help="test by default")
    parser.add_argument("--flip", action="store_true", help="average the probabilities of both mirror images")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    return parser.parse_args(arguments)


def _require_run(folder: Path) -> None:
    """Runs of some recipes hold files that are measured one by one, and nothing that says what was held out."""
    files = sorted(path.name for path in folder.glob("*.onnx"))
    if files and not (folder / "run.json").is_file():
        raise ConfigError(f"MODEL must be a file of {folder}, which holds {', '.join(files)}; got the folder")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 when it measured, :class:`FerserveError` for whoever called it otherwise."""
    options = parse_arguments(arguments)
    if options.model.is_dir():
        if options.head or options.split or options.flip:
            raise ConfigError(f"head, split and flip must be left out for a run, got {options.model}, a folder")
        _require_run(options.model)
        from training.evaluation.evaluate_run import evaluate_run, report

        print(report(evaluate_run(options.model, options.data), options.json))
        return 0
    head, split = options.head or "ferplus", options.split or "test"
    evaluation = evaluate(options.model, options.data, head, options.flip, split)
    print(to_json(evaluation) if options.json else to_text(evaluation))
    return 0
