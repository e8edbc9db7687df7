"""``python -m training evaluate RUN --data PATH``: a run's exported model on its own test parts, all heads."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ferserve.models.spec import HeadSpec, ModelSpec
from training.classification.batches import Batches
from training.classification.manifest import parts_of_run
from training.common.export import exported_model, read_spec
from training.data.samples import Samples
from training.errors import DataError
from training.evaluation.metrics import Judgement, judge

BATCH = 64


def evaluate_run(run: Path, data: Path) -> dict[str, dict[str, Judgement]]:
    """What ``run/model.onnx`` says of ``data``, by test part and head; ``data`` is divided as the run divided it."""
    _, parts = parts_of_run(run, data)
    model = exported_model(run)
    spec = read_spec(model)
    return {name: judge_file(model, spec, part) for name, part in parts.tests.items()}


def judge_file(path: Path, spec: ModelSpec, samples: Samples) -> dict[str, Judgement]:
    """What the ONNX file ``path`` says of ``samples`` in ONNX Runtime on the CPU, by head.

    Heads and images' labels must have the same names, in any order, else :class:`DataError` is raised.
    """
    import onnxruntime

    heads = [head for head in spec.heads if head.name in samples.labels]
    orders = [_columns(head, samples, path) for head in heads]
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    batches = Batches(samples, spec.input, BATCH)
    answers = [
        session.run([head.output for head in heads], {spec.input.name: batches[index][0]})
        for index in range(len(batches))
    ]
    return {
        head.name: judge(np.concatenate(column)[:, order], samples.targets[head.name], samples.labels[head.name])
        for head, order, column in zip(heads, orders, zip(*answers, strict=True), strict=True)
    }


def _columns(head: HeadSpec, samples: Samples, path: Path) -> list[int]:
    """Of the head's answers, one for each label of ``samples`` in its order."""
    labels = samples.labels[head.name]
    if set(labels) != set(head.labels):
        raise DataError(
            f"labels of head {head.name} must be {', '.join(head.labels)} as {path} has them, got {', '.join(labels)}; "
            "name the data that the run learnt from"
        )
    return [head.labels.index(label) for label in labels]


def report(judged: dict[str, dict[str, Judgement]], as_json: bool) -> str:
    """Precision, recall and F1 of each class, for people or as one JSON object."""
    if as_json:
        return json.dumps({part: {head: one.report() for head, one in heads.items()} for part, heads in judged.items()})
    tables = [f"{part}, {head}:\n{one.text()}" for part, heads in judged.items() for head, one in heads.items()]
    return "\n".join(tables)
