"""Accuracy of ensembles: ``python -m training.emotion_lite.ensemble MODEL MODEL... --data FILE.npz``.

Teachers are judged by their mean, not one by one (docs/emotion-lite.md).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np

from training.errors import in_one_line
from training.evaluation.labelled import load_labelled
from training.evaluation.served_model import ServedModel

JUDGED = ("fer2013", "ferplus")
"""Label sets, one column each."""


def accuracies(models: Sequence[Path], data: Path, label_set: str) -> dict[tuple[Path, ...], float]:
    """Accuracy on the test rows of ``data`` of every combination of ``models``, by the mean of their probabilities."""
    rows = load_labelled(data, label_set)
    answers = {}
    for path in models:
        model = ServedModel(path)
        answers[path] = model.in_order(model.rows(rows.images), label_set)
    chosen = (group for size in range(1, len(models) + 1) for group in combinations(models, size))
    return {
        group: float((np.sum([answers[path] for path in group], axis=0).argmax(axis=1) == rows.truth).mean())
        for group in chosen
    }


def table(found: dict[str, dict[tuple[Path, ...], float]]) -> Iterator[str]:
    """One Markdown row for each combination, one column for each label set."""
    yield f"| models | {' | '.join(found)} |"
    yield f"|---{'|---' * len(found)}|"
    for group in next(iter(found.values())):
        yield f"| {' + '.join(map(str, group))} | {' | '.join(f'{one[group]:.1%}' for one in found.values())} |"


def main() -> None:
    """Print one line for each combination."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", type=Path, nargs="+", metavar="MODEL.onnx")
    parser.add_argument("--data", type=Path, required=True, metavar="FILE.npz", help="FER2013, as training takes it")
    chosen = parser.parse_args()
    models = list(dict.fromkeys(chosen.models))
    print("\n".join(table({name: accuracies(models, chosen.data, name) for name in JUDGED})))


if __name__ == "__main__":
    sys.exit(in_one_line(main))
