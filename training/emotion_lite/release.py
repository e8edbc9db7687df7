"""Exports the bundled files: calibrated FP32 and INT8, each with its spec inside."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ferserve.labels import CLARITY, CLEAR, FER2013, FERPLUS
from ferserve.models.spec import HeadSpec, InputSpec, ModelSpec
from training.common.atomic_write import atomic_write
from training.common.export import embed_spec, read_spec
from training.emotion_lite.augment import MEAN, STD
from training.emotion_lite.fit import predict_logits
from training.emotion_lite.onnx_graph import export_graph
from training.emotion_lite.quantize import quantize_classifier
from training.emotion_lite.served_head import RAW_FER2013, RAW_FERPLUS, SERVED, fit_and_attach
from training.emotion_lite.temperature import fit_temperature
from training.emotion_lite.voted_samples import VotedSamples
from training.evaluation.evaluate import evaluate
from training.models.emotion_lite import IMAGE_SIZE, Stage, split_heads

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
    chosen = train.images[:: max(1, len(train) // images)][:images]
    quantize_classifier(source, target, chosen)
    fit_and_attach(target, held_out)
    write_metrics(target, public_test_metrics(target, data))
    return target


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
