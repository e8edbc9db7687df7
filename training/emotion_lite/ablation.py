"""Ablation: the effect of each part of the recipe, on short runs.

``python -m training.emotion_lite.ablation --data FILE.npz --out DIR``

Every variant changes one thing of the base and trains from the same weights on the same rows for the same number of
images. Short runs favour fast learners: parts that pay off only in long runs (strong augmentation, mixing) look worse
here than they are.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from training.common.local_sgd import use_one_thread
from training.emotion_lite.augment import NO_AUGMENTATION, STRENGTHS
from training.emotion_lite.fit import FitOptions, read_history
from training.emotion_lite.job import train_model
from training.emotion_lite.voted_samples import TargetOptions, load_voted_samples, make_targets
from training.errors import in_one_line
from training.models.emotion_stages import LITE, TEACHER, Stage

BASE = FitOptions(epochs=12, ema=0.99, augmentation=STRENGTHS["light"], validate_every=100)
PLAIN = tuple(replace(stage, pairs=0) for stage in LITE)
EARLY = (
    Stage(16, 1),
    Stage(32, 2, pairs=1, kernel=2),
    Stage(64, 2, pairs=1, kernel=2),
    Stage(128, 2, pairs=1, kernel=2),
)
"""About as many multiplications, more of them on the fine grids."""
WIDE_STEPS = tuple(replace(stage, kernel=4) if stage.stride == 2 else stage for stage in LITE)


@dataclass(frozen=True)
class Variant:
    """The base with one thing changed."""

    fit: FitOptions = BASE
    targets: TargetOptions = field(default_factory=TargetOptions)
    stages: tuple[Stage, ...] = LITE


VARIANTS = {
    "base": Variant(),
    "majority label instead of vote shares": Variant(targets=TargetOptions(soft_votes=False)),
    "no label smoothing on FER2013": Variant(targets=TargetOptions(smoothing=0.0)),
    "FER2013 head alone": Variant(replace(BASE, head_weights=(0.0, 1.0, 0.0))),
    "FER+ head alone": Variant(replace(BASE, head_weights=(1.0, 0.0, 0.0))),
    "no averaged weights": Variant(replace(BASE, ema=0.0)),
    "mirroring only": Variant(replace(BASE, augmentation=NO_AUGMENTATION)),
    "strong augmentation": Variant(replace(BASE, augmentation=STRENGTHS["strong"])),
    "no residual pairs": Variant(stages=PLAIN),
    "a pair at 24x24 in place of the 3x3 stage": Variant(stages=EARLY),
    "4x4 kernels where the grid is halved": Variant(stages=WIDE_STEPS),
    "the teacher's network": Variant(stages=TEACHER),
}
"""By the name that the table gives them."""


def measure(name: str, data: Path, out: Path, rows: int, epochs: int) -> dict[str, float]:
    """Train the variant ``name`` on every n-th row, about ``rows`` of them; the figures of its last epoch."""
    use_one_thread()
    variant = VARIANTS[name]
    train, test = load_voted_samples(data)
    train = train.take(slice(None, None, max(1, len(train) // rows)))
    options = replace(variant.fit, epochs=epochs)
    folder = out / name.replace(" ", "-").replace(",", "")
    train_model(variant.stages, train.images, make_targets(train, variant.targets), test, options, folder)
    return read_history(folder)[-1]


def table(found: dict[str, dict[str, float]]) -> str:
    """The results in Markdown, with each one's difference to the base."""
    lines = ["| variant | FER2013 | | FER+ | |", "|---|---|---|---|---|"]
    base = found["base"]
    for name, figures in found.items():
        cells = [f"{100 * figures[k]:.1f} % | {100 * (figures[k] - base[k]):+.1f}" for k in ("fer2013", "ferplus")]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Run the command; finished variants in ``--out`` are not trained again."""
    parser = argparse.ArgumentParser("python -m training.emotion_lite.ablation", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="FILE.npz")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--rows", type=int, default=9000)
    parser.add_argument("--epochs", type=int, default=BASE.epochs)
    parser.add_argument("--processes", type=int, default=3)
    options = parser.parse_args()
    with ProcessPoolExecutor(options.processes, multiprocessing.get_context("spawn")) as pool:
        jobs = {
            name: pool.submit(measure, name, options.data, options.out, options.rows, options.epochs)
            for name in VARIANTS
        }
        print(table({name: job.result() for name, job in jobs.items()}))


if __name__ == "__main__":
    sys.exit(in_one_line(main))
