"""face-lite, the bundled face detector: one luma plane in, boxes, scores and five landmarks out.

Source: our own; YuNet (Wu, Peng, Yu 2023) teaches, see training/models/face_lite.py for what the network is made of.
Command: python -m training run face_lite --data DIR (a folder of photographs; boxes.json files in it are used, YuNet
    labels the rest once: `ferserve models pull yunet` before, or --weights FILE)
Expected time: two hours on 2 CPU cores that it has for itself, labelling included.
Expected accuracy: see ferserve/models/face-lite.md.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field, replace
from pathlib import Path

import keras

from ferserve.models.detector_spec import DetectorSpec
from training.common.local_sgd import run_processes
from training.data.photographs import photograph_paths
from training.face_lite.evaluate import evaluate_weights, figures, operating_point
from training.face_lite.export import export_face_lite
from training.face_lite.fit import STATE_FILE, FitRound
from training.face_lite.job import TrainingJob, train
from training.face_lite.photographs import (
    Photograph,
    label_folder,
    labelled_names,
    require_both_parts,
)
from training.models.face_lite import FaceLiteConfig
from training.recipe import RunOptions, require_own_options

LOOKING = FitRound(average=0.9993, landmark_weight=30.0, look=0.75)
"""What later rounds share: YuNet looks at each composed picture too, and landmarks come nearer to one look of it."""
ROUNDS = (FitRound(), replace(LOOKING, epochs=14, decay_part=0.5), replace(LOOKING, epochs=11, decay_part=0.7))
"""Labels of several looks first; docs/decisions/0024 says what each later round brought."""


@dataclass(frozen=True)
class FaceLiteRecipe:
    """Label, train, average, export, measure."""

    name: str = "face_lite"
    summary: str = "the bundled face detector, anchor-free, in luma, taught by YuNet"
    config: FaceLiteConfig = field(default_factory=FaceLiteConfig)
    rounds: tuple[FitRound, ...] = ROUNDS
    processes: int = 2
    """How many train together, one thread each."""
    takes: tuple[str, ...] = ()

    def run(self, options: RunOptions) -> Path:
        """See :class:`training.recipe.Recipe`. ``out`` receives labels.npz, state.npz and face-lite.onnx."""
        require_own_options(self, options)
        options.require_new_run(STATE_FILE)
        options.out.mkdir(parents=True, exist_ok=True)
        job = self._job(options, options.weight_file())
        require_both_parts(labelled_names(job.labels, job.limit))
        run_processes(self.processes, 4 * job.network().count_params(), train, job)
        kept = [photograph for photograph in job.photographs() if photograph.is_validation]
        self.export(job.trained(), kept, options.out / "face-lite.onnx", (f"photographs: {options.data.name}",))
        return options.out

    def _job(self, options: RunOptions, weights: Path | None) -> TrainingJob:
        rounds = tuple(replace(fit, epochs=options.epochs or fit.epochs) for fit in self.rounds)
        labels = _labels(options, weights)
        teacher = _teacher(weights) if any(fit.look for fit in rounds) else None
        return TrainingJob(self.config, rounds, options.data, labels, options.limit, options.out, options.seed, teacher)

    def export(self, network: keras.Model, kept: list[Photograph], weights: Path, trained_on: tuple[str, ...]) -> None:
        """Write the detector with its figures inside, its scores shifted so that 0.5 is a good threshold."""
        spec = self._spec(trained_on)
        export_face_lite(network, self.config, spec, weights)
        score = operating_point(evaluate_weights(weights, kept))
        shift = math.log(score / (1 - score))
        export_face_lite(network, self.config, spec, weights, shift)
        metrics = figures(evaluate_weights(weights, kept))
        export_face_lite(network, self.config, replace(spec, metrics=metrics), weights, shift)

    def _spec(self, trained_on: tuple[str, ...]) -> DetectorSpec:
        return DetectorSpec(
            name="face-lite",
            version="1",
            description="Faces from about 12 px in one luma plane, with five landmarks",
            license="Apache-2.0",
            trained_on=trained_on,
            recipe_sha256=hashlib.sha256(Path(__file__).read_bytes()).hexdigest(),
        )


def _labels(options: RunOptions, weights: Path | None) -> Path:
    """The labels of a former run, or of the data folder, or new ones from the teacher."""
    for folder in (options.out, options.data):
        if (folder / "labels.npz").exists():
            return folder / "labels.npz"
    labels = options.out / "labels.npz"
    require_both_parts([path.relative_to(options.data).as_posix() for path in photograph_paths(options.data)])
    label_folder(options.data, _teacher(weights), labels)
    return labels


def _teacher(weights: Path | None) -> Path:
    from ferserve.models.pull import pulled_model

    return weights or pulled_model("yunet")


RECIPE = FaceLiteRecipe()
