"""face-lite, the bundled face detector: one luma plane in, boxes, scores and five landmarks out.

Source: our own; YuNet (Wu, Peng, Yu 2023) teaches, see training/models/face_lite.py for what the network is made of.
Command: python -m training run face_lite --data DIR (a folder of photographs; boxes.json files in it are used, YuNet
    labels the rest once: `ferserve models pull yunet` before, or --weights FILE)
Expected time: 45 minutes on 2 CPU threads that it has for itself, labelling included.
Expected accuracy: see ferserve/models/face-lite.md.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import keras

from ferserve.detector_spec import DetectorSpec
from training.detection.batches import SceneBatches
from training.detection.evaluate import figures, judge_weights, operating_point
from training.detection.export import export_face_lite
from training.detection.fit import FitOptions, KeepState, average_weights, compile_for, load_state
from training.detection.photographs import Photograph, label_folder, load_photographs
from training.models.face_lite import FaceLiteConfig, build_face_lite
from training.recipe import RunOptions


@dataclass(frozen=True)
class FaceLiteRecipe:
    """Label, train, average, export, measure."""

    name: str = "face_lite"
    summary: str = "the bundled face detector, anchor-free, in luma, taught by YuNet"
    config: FaceLiteConfig = field(default_factory=FaceLiteConfig)
    fit: FitOptions = field(default_factory=FitOptions)

    def run(self, options: RunOptions) -> Path:
        """See :class:`training.recipe.Recipe`. ``out`` receives labels.npz, state.npz and face-lite.onnx."""
        cv2.setNumThreads(1)  # the threads belong to the network
        keras.utils.set_random_seed(options.seed)
        options.out.mkdir(parents=True, exist_ok=True)
        photographs = list(load_photographs(options.data, _labels(options), options.limit))
        learnt = [photograph for photograph in photographs if not photograph.is_validation]
        kept = [photograph for photograph in photographs if photograph.is_validation]
        fit = replace(self.fit, epochs=options.epochs or self.fit.epochs)
        network = self._train(options, fit, learnt)
        self.export(network, kept, options.out / "face-lite.onnx")
        return options.out

    def export(self, network: keras.Model, kept: list[Photograph], weights: Path) -> None:
        """Write the detector, its scores shifted to where 0.5 is a good limit, with its figures inside."""
        export_face_lite(network, self.config, self._spec({}), weights)
        score = operating_point(judge_weights(weights, kept))
        shift = math.log(score / (1 - score))
        export_face_lite(network, self.config, self._spec({}), weights, shift)
        metrics = figures(judge_weights(weights, kept))
        export_face_lite(network, self.config, self._spec(metrics), weights, shift)

    def _train(self, options: RunOptions, fit: FitOptions, learnt: list[Photograph]) -> keras.Model:
        policy = keras.mixed_precision.global_policy()
        # Half the bytes a convolution moves; head, loss, averages and the exported weights stay float32.
        keras.mixed_precision.set_global_policy("mixed_bfloat16")
        try:
            network = build_face_lite(fit.size, fit.size, self.config)
        finally:
            keras.mixed_precision.set_global_policy(policy)
        model = compile_for(network, fit)
        done = load_state(model, options.out) if options.resume else 0
        batches = SceneBatches(learnt, fit.batch_size, fit.size, fit.steps, options.seed, first_epoch=done)
        keep = KeepState(options.out)
        model.fit(batches, epochs=fit.epochs, initial_epoch=done, callbacks=[keep], verbose=2, shuffle=False)
        average_weights(model, batches)
        return network

    def _spec(self, metrics: dict[str, float]) -> DetectorSpec:
        return DetectorSpec(
            name="face-lite",
            version="1",
            description="Faces from 10 px in one luma plane, with five landmarks",
            license="Apache-2.0",
            trained_on=("Labeled Faces in the Wild, grey", "face mask detection photographs, grey"),
            metrics=metrics,
            recipe_sha256=hashlib.sha256(Path(__file__).read_bytes()).hexdigest(),
        )


def _labels(options: RunOptions) -> Path:
    """The labels of a former run, or of the data folder, or new ones from the teacher."""
    for folder in (options.out, options.data):
        if (folder / "labels.npz").exists():
            return folder / "labels.npz"
    labels = options.out / "labels.npz"
    label_folder(options.data, _teacher(options.weights), labels)
    return labels


def _teacher(weights: str | None) -> Path:
    if weights and weights not in ("none", "imagenet"):
        return Path(weights)
    from ferserve.model_pull import pulled_model

    return pulled_model("yunet")


RECIPE = FaceLiteRecipe()
