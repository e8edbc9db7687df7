"""emotion-lite: the bundled emotion model, 1.4 M parameters made for a CPU core.

Source: ours. Barsoum et al. 2016 (doi:10.1145/2993148.2993165) for vote shares as targets; every other method is
named where it is used, in training/emotion/ and training/models/emotion_lite.py.

Command: ``python -m training run emotion_lite --data FILE.npz`` (with ``images``, ``labels``, ``usage`` and
``ferplus_votes``). ``KERAS_BACKEND=torch`` trains about twice as fast on a CPU as TensorFlow.

Expected time and accuracy: docs/emotion-lite.md says what was run, on what, and what came out.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from training.recipe import RunOptions


@dataclass(frozen=True)
class EmotionLite:
    """Two rounds: a short one on votes and labels, a long one that starts from it and mixes in its answers."""

    name: str = "emotion_lite"
    summary: str = "FER+ and FER2013 heads on one small network made for a CPU core; the bundled model"
    first_epochs: int = 36
    epochs: int = 90
    refinement: float = 0.3
    """Share of the first round's answers in the targets of the second."""
    processes: int = 3

    def run(self, options: RunOptions) -> Path:
        """Train, calibrate, export FP32 and INT8; returns ``options.out``."""
        from training.emotion.fit import FitOptions, read_arrays
        from training.emotion.job import train_model
        from training.emotion.refine import refine_targets
        from training.emotion.release import release, release_int8
        from training.emotion.samples import load_samples, make_targets
        from training.models.emotion_lite import LITE

        train, test = load_samples(options.data)
        train = train.take(slice(options.limit))
        _start(options.out, options.resume)
        epochs = options.epochs or self.epochs
        targets = make_targets(train)
        short = FitOptions(epochs=min(epochs, self.first_epochs), ema=0.997, seed=options.seed)
        model = train_model(LITE, train.images, targets, test, short, options.out / "first", self.processes)
        refined = refine_targets(model, train, targets, self.refinement)
        long = FitOptions(epochs=epochs, seed=options.seed + 1)
        weights = read_arrays(model.weights)
        model = train_model(LITE, train.images, refined, test, long, options.out / "second", self.processes, weights)
        model.save(options.out / "emotion-lite.keras")
        release(model, LITE, test, options.data, Path(__file__), options.out)
        release_int8(options.out / "emotion-lite.onnx", train, options.data)
        return options.out


def _start(out: Path, resume: bool) -> None:
    """Make ``out``, or take an earlier run's states out of it where that is not to be resumed."""
    out.mkdir(parents=True, exist_ok=True)
    if not resume:
        for old in out.glob("*/state*.npz"):
            old.unlink()


RECIPE = EmotionLite()
