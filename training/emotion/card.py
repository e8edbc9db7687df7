"""The card of the bundled emotion models: ``python -m training.emotion.card FOLDER --data FILE.npz``.

FOLDER holds ``emotion-lite.onnx`` and ``emotion-lite-int8.onnx``; the card and its pictures are written beside them.
Every figure in it is measured by this command.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from training.emotion.plots import plot_confusion, plot_reliability
from training.emotion.robustness import robustness
from training.emotion.scores import Scores
from training.emotion.served import ServedModel
from training.evaluate import Evaluation, evaluate, load_labelled

ABOUT = Path(__file__).parent / "card.md"
"""The words of the card; figures follow them."""
HEADS = {"ferplus": "FER+, eight labels", "fer2013": "FER2013, seven labels"}
FILES = ("emotion-lite", "emotion-lite-int8")


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _accuracy_table(found: dict[tuple[str, str, bool], Evaluation]) -> Iterator[str]:
    yield (
        "| model | head | images | accuracy (95 % interval) | where taggers agree | both mirror images "
        "| flip consistency | ECE |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for name in FILES:
        for head, title in HEADS.items():
            once, twice = found[name, head, False], found[name, head, True]
            low, high = once.scores.accuracy_ci95
            cells = [
                name, title, str(once.scores.rows),
                f"{_percent(once.scores.accuracy)} ({_percent(low)} to {_percent(high)})",
                f"{_percent(once.agreed_accuracy)} ({once.agreed_rows})", _percent(twice.scores.accuracy),
                _percent(once.flip_consistency), _percent(once.scores.ece),
            ]  # fmt: skip
            yield f"| {' | '.join(cells)} |"


def _class_table(scores: Scores) -> Iterator[str]:
    yield "| class | precision | recall | F1 | images |"
    yield "|---|---|---|---|---|"
    for label, entry in scores.per_class.items():
        yield f"| {label} | {entry.precision:.3f} | {entry.recall:.3f} | {entry.f1:.3f} | {entry.rows} |"


def _robustness_table(folder: Path, data: Path, seeds: int) -> Iterator[str]:
    rows = {head: load_labelled(data, head, "public_test") for head in HEADS}
    tables = {
        (name, head): robustness(ServedModel(folder / f"{name}.onnx"), head, rows[head], seeds)
        for name in FILES
        for head in HEADS
    }
    yield "| condition | " + " | ".join(f"{name}, {head}" for name, head in tables) + " |"
    yield "|---|" + "---|" * len(tables)
    for condition in tables[FILES[0], "ferplus"]:
        yield f"| {condition} | " + " | ".join(_percent(table[condition]) for table in tables.values()) + " |"


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
    yield "| model | file | images/s, one thread, batch 1 |"
    yield "|---|---|---|"
    for name in FILES:
        yield f"| {name} | {sizes[name]:.1f} MB | {best[name]:,.0f} |"
    yield ""
    yield f"INT8 is {int8 / float32:.2f} times as fast as FP32 (both in turn in one run, best of {rounds})."


def write_card(folder: Path, data: Path, rounds: int = 10, seeds: int = 3) -> Path:
    """Measure the files in ``folder`` on PublicTest and write ``emotion-lite.md`` with its pictures.

    Speed is the best of ``rounds``, accuracy with jittered boxes the mean over ``seeds``.
    """
    found = {
        (name, head, flip): evaluate(folder / f"{name}.onnx", data, head, flip, "public_test", 0.0)
        for name in FILES
        for head in HEADS
        for flip in (False, True)
    }
    lines = [ABOUT.read_text().rstrip(), "", "## Figures", "", "PublicTest, single crop, ONNX Runtime on a CPU.", ""]
    lines += [*_accuracy_table(found), "", *_speeds(folder, rounds), ""]
    for head, title in HEADS.items():
        scores = found[FILES[0], head, False].scores
        plot_confusion(scores, folder / f"emotion-lite-confusion-{head}.png")
        lines += [f"### {title}", "", *_class_table(scores), ""]
        lines += [f"![confusion matrix](emotion-lite-confusion-{head}.png)", ""]
    _plot_default_head(folder, data, found[FILES[0], "ferplus", False].scores.ece)
    lines += ["![reliability](emotion-lite-reliability.png)", "", "## Robustness", ""]
    lines += ["PublicTest changed as named, then through the serving preprocessing.", ""]
    lines += [*_robustness_table(folder, data, seeds), ""]
    path = folder / "emotion-lite.md"
    path.write_text("\n".join(lines))
    return path


def _plot_default_head(folder: Path, data: Path, ece: float) -> None:
    model, rows = ServedModel(folder / f"{FILES[0]}.onnx"), load_labelled(data, "ferplus", "public_test")
    probabilities = model.probabilities(model.rows(rows.images), model.head("ferplus"))
    correct = probabilities.argmax(axis=1) == rows.truth
    plot_reliability(probabilities.max(axis=1), correct, ece, folder / "emotion-lite-reliability.png")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser("python -m training.emotion.card", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, required=True, metavar="FILE.npz")
    options = parser.parse_args(arguments)
    print(write_card(options.folder, options.data))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
