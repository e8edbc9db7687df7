"""A face to probabilities, one thread, by each bundled model; ONNX Runtime alone runs the same graph."""

from __future__ import annotations

import importlib.util

import numpy as np
import onnxruntime

from ferserve.models.store import BUNDLED_DIR, open_model_file
from ferserve.runtime import open_session
from ferserve.runtime.classifier import Classifier
from tests.benchmarks.subjects.subject import Subject, Work

MODELS = ("emotion-lite", "emotion-lite-int8")


def classify(name: str, rows: int, device: str = "cpu") -> Work:
    file = open_model_file(BUNDLED_DIR / f"{name}.onnx")
    classifier = Classifier(open_session(file.path, device), file.spec)  # type: ignore[arg-type]
    batch = np.random.default_rng(0).random((rows, *file.spec.input.row_shape)).astype(file.spec.input.dtype)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(file.path, options, providers=["CPUExecutionProvider"])
    wanted = [head.output for head in file.spec.heads]
    raw = lambda: session.run(wanted, {file.spec.input.name: batch})  # noqa: E731
    ours = lambda: classifier.infer(batch)  # noqa: E731
    tolerance = 1e-4 if device == "cpu" else 0.05
    for head, mine, theirs in zip(file.spec.heads, ours(), raw(), strict=True):
        if head.outputs == "probabilities":
            np.testing.assert_allclose(mine, theirs, atol=tolerance)
        np.testing.assert_allclose(mine.sum(axis=1), 1, atol=1e-3)
    return Work(ours, raw, units=rows, runs_on=classifier.session.runs_on)


def _subject(name: str, rows: int, device: str = "cpu") -> Subject:
    beside = "" if device == "cpu" else f" on {device}"
    title = f"{name}{beside}, {rows} face{'s' * (rows > 1)}"
    return Subject("classifier", title, lambda _: classify(name, rows, device), "ONNX Runtime alone", heavy=rows > 1)


SUBJECTS = [_subject(name, rows) for name in MODELS for rows in (1, 16)]
if importlib.util.find_spec("openvino"):
    from ferserve.runtime.backends import BACKENDS

    SUBJECTS += [_subject(name, 1, "openvino") for name in MODELS if "openvino" in BACKENDS]
