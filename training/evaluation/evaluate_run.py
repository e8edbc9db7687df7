"""Measures a run's exported model on the test parts that the run held out, all heads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ferserve.models.spec import HeadSpec, ModelSpec
from training.common.export import exported_model, read_spec
from training.common.pixels import PixelRows
from training.data.samples import Samples
from training.errors import DataError
from training.evaluation.metrics import Predictions

BATCH = 16
"""More would need gigabytes in a large network, and is no faster on a CPU."""


def evaluate_run(run: Path, tests: Mapping[str, Samples]) -> dict[str, dict[str, Predictions]]:
    """Answers of ``run/model.onnx`` to the test parts ``tests``, by part and head."""
    model = exported_model(run)
    spec = read_spec(model)
    return {name: predict_file(model, spec, part) for name, part in tests.items()}


def predict_file(path: Path, spec: ModelSpec, samples: Samples) -> dict[str, Predictions]:
    """Answers of the ONNX file ``path`` to ``samples``, by head, from ONNX Runtime on the CPU.

    Raises :class:`DataError` unless heads and samples have the same labels, in any order.
    """
    import onnxruntime

    heads = [head for head in spec.heads if head.name in samples.labels]
    orders = [_columns(head, samples, path) for head in heads]
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    pixels = PixelRows(samples.images, spec.input)
    batches = (np.arange(start, min(start + BATCH, len(samples))) for start in range(0, len(samples), BATCH))
    outputs = [head.output for head in heads]
    answers = [session.run(outputs, {spec.input.name: pixels.take(batch)}) for batch in batches]
    return {
        head.name: Predictions(samples.labels[head.name], samples.targets[head.name], np.concatenate(column)[:, order])
        for head, order, column in zip(heads, orders, zip(*answers, strict=True), strict=True)
    }


def _columns(head: HeadSpec, samples: Samples, path: Path) -> list[int]:
    """For each label of ``samples``, in its order, the head's column."""
    labels = samples.labels[head.name]
    if set(labels) != set(head.labels):
        raise DataError(
            f"labels of head {head.name} must be {', '.join(head.labels)} as {path} has them, got {', '.join(labels)}; "
            "name the data that the run learnt from"
        )
    return [head.labels.index(label) for label in labels]


def report(found: Mapping[str, Mapping[str, Predictions]], as_json: bool) -> str:
    """Precision, recall and F1 per class, for people or as one JSON object."""
    if as_json:
        return json.dumps({part: {head: one.report() for head, one in heads.items()} for part, heads in found.items()})
    tables = [f"{part}, {head}:\n{one.text()}" for part, heads in found.items() for head, one in heads.items()]
    return "\n".join(tables)
