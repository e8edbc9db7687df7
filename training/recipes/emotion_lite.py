"""emotion-lite: the bundled emotion model, 1.4 M parameters made for a CPU core.

Source: ours. Barsoum et al. 2016 (doi:10.1145/2993148.2993165) for vote shares as targets; every other method is
named where it is used, in training/emotion/ and training/models/emotion_lite.py.

Command: ``python -m training run emotion_lite --data FILE.npz`` (with ``images``, ``labels``, ``usage`` and
``ferplus_votes``). ``KERAS_BACKEND=torch`` trains about twice as fast on a CPU as TensorFlow.

Expected time and accuracy: docs/emotion-lite.md says what was run, on what, and what came out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from training.recipe import RunOptions

if TYPE_CHECKING:
    from training.emotion.fit import FitOptions, Floats


@dataclass(frozen=True)
class Round:
    """One warm restart: the rate rises and falls once (Loshchilov & Hutter 2017, arXiv:1608.03983)."""

    epochs: int
    peak_rate: float
    augmentation: Literal["strong", "medium", "light"]
    refinement: float = 0.0
    """Share of the targets that the last round's answers replace."""
    mirror: float = 0.0
    """Share of the targets that the answers to the mirrored images replace; every image comes in both forms then."""
    ema: float = 0.997

    def options(self, number: int, run: RunOptions) -> FitOptions:
        """How this round is trained within ``run``."""
        from training.emotion.augment import STRENGTHS
        from training.emotion.fit import FitOptions

        return FitOptions(
            epochs=min(self.epochs, run.epochs or self.epochs),
            batch_size=32 if self.mirror else 64,
            peak_rate=self.peak_rate,
            ema=self.ema,
            mirror=self.mirror,
            augmentation=STRENGTHS[self.augmentation],
            seed=run.seed + number,
        )


@dataclass(frozen=True)
class EmotionLite:
    """Rounds that each start from the last one's averaged weights; every one ends with a usable model."""

    name: str = "emotion_lite"
    summary: str = "FER+ and FER2013 heads on one small network made for a CPU core; the bundled model"
    rounds: Sequence[Round] = (
        Round(36, 0.08, "strong"),
        Round(40, 0.06, "light"),
        Round(60, 0.08, "medium", refinement=0.4, ema=0.998),
        Round(16, 0.03, "medium", refinement=0.4, mirror=0.5, ema=0.998),
    )
    blended: int = 3
    """Last rounds whose mean weights are released (Wortsman et al. 2022, arXiv:2203.05482)."""
    processes: int = 3

    def run(self, options: RunOptions) -> Path:
        """Train, calibrate, export FP32 and INT8, write the card; returns ``options.out``.

        ``options.epochs`` caps each round.
        """
        import numpy as np

        from training.emotion.card import write_card
        from training.emotion.fit import read_arrays
        from training.emotion.job import train_model
        from training.emotion.refine import refine_targets
        from training.emotion.release import release, release_int8
        from training.emotion.samples import load_samples, make_targets
        from training.models.emotion_lite import LITE, build_model

        train, test = load_samples(options.data)
        train = train.take(slice(options.limit))
        out = options.out
        _start(out, options.resume)
        targets = make_targets(train)
        model = build_model(LITE)
        ends: list[list[Floats]] = []
        for number, part in enumerate(self.rounds):
            wanted = refine_targets(model, train, targets, part.refinement)
            fit = part.options(number, options)
            start = ends[-1] if ends else None
            model = train_model(LITE, train.images, wanted, test, fit, out / f"round{number}", self.processes, start)
            ends.append(read_arrays(model.weights))
        model.set_weights([np.mean(same, axis=0) for same in zip(*ends[-self.blended :], strict=True)])
        model.save(out / "emotion-lite.keras")
        release(model, LITE, test, options.data, Path(__file__), out)
        release_int8(out / "emotion-lite.onnx", train, options.data)
        write_card(out, options.data)
        return out


def _start(out: Path, resume: bool) -> None:
    """Make ``out``, or take an earlier run's states out of it where that is not to be resumed."""
    out.mkdir(parents=True, exist_ok=True)
    if not resume:
        for old in out.glob("*/state*.npz"):
            old.unlink()


RECIPE = EmotionLite()
