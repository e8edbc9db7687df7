"""emotion-lite: the bundled emotion model, 1.2 M parameters made for a CPU core.

Source: ours. Barsoum et al. 2016 (doi:10.1145/2993148.2993165) for vote shares as targets; every other method is
named in the code that uses it, in training/emotion_lite/ and training/models/emotion_lite.py.

Command: ``python -m training run emotion_lite --data FILE.npz [--faces PHOTOGRAPHS]`` (with ``images``, ``labels``,
``usage`` and ``ferplus_votes``; photographs need no labels). ``KERAS_BACKEND=torch`` trains about twice as fast on a
CPU as TensorFlow.

Expected time and accuracy: docs/emotion-lite.md says what was run, on what, and what came out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from training.recipe import RunOptions, require_own_options

if TYPE_CHECKING:
    import keras
    import numpy as np
    from numpy.typing import NDArray

    from training.emotion_lite.fit import FitOptions
    from training.emotion_lite.voted_samples import VotedSamples
    from training.models.emotion_stages import Stage

    Faces = NDArray[np.uint8]


EARLIER = -1
"""Index of an earlier release's model among the teachers; it is optional."""


@dataclass(frozen=True)
class Generation:
    """One network, taught by those before it (Furlanello et al. 2018, arXiv:1805.04770)."""

    network: Literal["teacher", "lite"]
    epochs: int
    augmentation: Literal["strong", "medium", "light"] = "medium"
    taught: float = 0.0
    """Share of the targets that the teachers' answers replace."""
    teachers: tuple[int, ...] = ()
    """Generations whose INT8 files are teachers, and :data:`EARLIER` for the file that ``--weights`` names."""
    peak_rate: float = 0.1
    start: int | None = None
    """The generation whose averaged weights it starts from."""
    sees_faces: bool = False
    """Whether faces without labels, given by ``--faces``, are among its images."""

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The network's shape."""
        from training.models.emotion_stages import LITE, TEACHER

        return {"teacher": TEACHER, "lite": LITE}[self.network]

    def options(self, number: int, run: RunOptions, teachers: Sequence[Path]) -> FitOptions:
        """Training options of this generation within ``run``."""
        from training.emotion_lite.augment import STRENGTHS
        from training.emotion_lite.fit import FitOptions

        return FitOptions(
            epochs=min(self.epochs, run.epochs or self.epochs),
            peak_rate=self.peak_rate,
            warmup=0.05,
            ema=0.998,
            augmentation=STRENGTHS[self.augmentation],
            teachers=tuple(teachers) if self.taught else (),
            taught=self.taught,
            seed=run.seed + number,
        )


@dataclass(frozen=True)
class EmotionLite:
    """A larger network and the bundled one, each taught by the other in turn."""

    name: str = "emotion_lite"
    summary: str = "FER+ and FER2013 heads on one small network made for a CPU core; the bundled model"
    generations: Sequence[Generation] = (
        Generation("teacher", 34),
        Generation("lite", 120, "light", taught=0.7, teachers=(EARLIER, 0)),
        Generation("lite", 60, taught=0.3, teachers=(EARLIER, 0), peak_rate=0.05, start=1),
        Generation("teacher", 88, taught=0.3, teachers=(2,), start=0),
        Generation("lite", 120, taught=0.5, teachers=(2, 3), peak_rate=0.08, start=2, sees_faces=True),
    )
    processes: int = 3
    takes: tuple[str, ...] = ("faces",)

    def run(self, options: RunOptions) -> Path:
        """Train, calibrate, export FP32 and INT8, write the card; returns ``options.out``.

        ``options.epochs`` caps each generation.
        """
        from training.emotion_lite.card import write_bundled_card
        from training.emotion_lite.release import release_int8
        from training.emotion_lite.unlabelled import cut_faces
        from training.emotion_lite.voted_samples import load_voted_samples

        require_own_options(self, options)
        options.require_new_run("*/state*.npz")
        files = _earlier_release(options.weight_file())
        train, test = load_voted_samples(options.data)
        train = train.take(slice(options.limit))
        faces = cut_faces(options.faces) if options.faces else None
        options.out.mkdir(parents=True, exist_ok=True)
        for number, generation in enumerate(self.generations):
            folder = options.out if generation is self.generations[-1] else options.out / f"generation{number}"
            teachers = [files[teacher] for teacher in generation.teachers if teacher in files]
            model = self._train(generation, number, options, train, faces, test, teachers)
            self._release(model, generation, test, options, folder)
            self._plot(options.out / f"generation{number}", folder)
            files[number] = release_int8(folder / "emotion-lite.onnx", train, test, options.data)
        write_bundled_card(options.out, options.data)
        return options.out

    def _train(
        self, generation: Generation, number: int, options: RunOptions, train: VotedSamples, faces: Faces | None,
        test: VotedSamples, teachers: Sequence[Path],
    ) -> keras.Model:  # fmt: skip
        from training.emotion_lite.fit import read_average
        from training.emotion_lite.job import train_model
        from training.emotion_lite.unlabelled import add_faces
        from training.emotion_lite.voted_samples import make_targets

        stages, fit = generation.stages, generation.options(number, options, teachers)
        start = None if generation.start is None else read_average(options.out / f"generation{generation.start}")
        state = options.out / f"generation{number}"
        images, targets = train.images, make_targets(train)
        if faces is not None and generation.sees_faces:
            images, targets = add_faces(images, targets, faces)
        return train_model(stages, images, targets, test, fit, state, self.processes, start)

    def _release(
        self, model: keras.Model, generation: Generation, test: VotedSamples, options: RunOptions, folder: Path
    ) -> None:
        from training.emotion_lite.release import release

        model.save(folder / "emotion-lite.keras")
        model.save(folder / "emotion-lite.h5")
        release(model, generation.stages, test, options.data, Path(__file__), folder, options.faces)

    def _plot(self, state: Path, folder: Path) -> None:
        from training.common.plots import plot_curves
        from training.emotion_lite.fit import read_history

        history = read_history(state)
        names = {"loss": "loss", "fer2013": "fer2013_accuracy", "ferplus": "ferplus_accuracy"}
        curves = {shown: [record[name] for record in history] for name, shown in names.items()}
        plot_curves(curves, folder / "curves.png", self.name)


def _earlier_release(weights: Path | None) -> dict[int, Path]:
    """The file that ``--weights`` names, as a teacher; it is opened now, not only after the first generation."""
    if weights is None:
        return {}
    from training.emotion_lite.teachers import Teachers

    Teachers((weights,))
    return {EARLIER: weights}


RECIPE = EmotionLite()
