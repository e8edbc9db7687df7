"""Keras model to self-describing ONNX: named ends, dynamic batch, ModelSpec inside, answers checked."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferserve.models.spec import METADATA_KEY, ModelSpec
from ferserve.models.store import open_model_file
from training.common.atomic_write import atomic_write
from training.errors import ExportError

TOLERANCE = 1e-4
"""Largest absolute difference allowed between an exported model's answers and Keras's."""
ROWS_AT_ONCE = 8
"""More would need gigabytes in a large network."""


def export_onnx(model: Any, path: Path, spec: ModelSpec, inputs: NDArray[np.float32]) -> float:
    """Write ``model`` to ``path`` with ``spec`` inside; returns the largest absolute difference to Keras.

    ``model`` is a Keras model with one input shaped like ``spec.input.row_shape`` and one output per head, in the order
    of ``spec.heads`` (or a dict of outputs by head name). ``inputs`` float32 (N, …) are real, preprocessed images.
    Raises :class:`ExportError`, and writes no file, if the answers differ by more than :data:`TOLERANCE`.
    """
    import onnx

    from training.models.grouped import GroupedConv2D

    outputs = model(inputs[:1])
    expected = keras_outputs(model, inputs, spec)
    with atomic_write(path) as partial:
        with quiet(), GroupedConv2D.exporting():
            model.export(str(partial), format="onnx", verbose=False)
        graph = onnx.load(partial)
        _name_ends(graph.graph, spec, _output_order(outputs, spec))
        embed_spec(graph, spec)
        onnx.checker.check_model(graph)
        onnx.save(graph, partial)
        return compare(partial, inputs, expected, spec)


def export_run(model: Path, out: Path | None = None) -> tuple[Path, float]:
    """Export again the model of a run's folder, or a ``.keras`` file beside its ``model.onnx``; (file, difference).

    The spec comes from that ``model.onnx``. Both are compared on random images here; a run compares real ones.
    """
    from training.common.checkpoint import load_model

    path = model / "model.keras" if model.is_dir() else model
    spec = read_spec(exported_model(path.parent))
    rows = np.random.default_rng(1).random((16, *spec.input.row_shape), np.float32)
    target = out or path.with_suffix(".onnx")
    return target, export_onnx(load_model(path), target, spec, rows)


def keras_outputs(model: Any, inputs: NDArray[np.float32], spec: ModelSpec) -> list[NDArray[np.float32]]:
    """Keras's answers, one array (N, labels) per head, in the order of ``spec.heads``."""
    import keras

    starts = range(0, len(inputs), ROWS_AT_ONCE)
    answers = [model.predict_on_batch(inputs[start : start + ROWS_AT_ONCE]) for start in starts]
    outputs = keras.tree.map_structure(lambda *parts: np.concatenate(parts), *answers)
    if isinstance(outputs, dict):
        return [np.asarray(outputs[head.name]) for head in spec.heads]
    if not isinstance(outputs, list | tuple):
        outputs = [outputs]
    return [np.asarray(output) for output in outputs]


def compare(path: Path, inputs: NDArray[np.float32], expected: list[NDArray[np.float32]], spec: ModelSpec) -> float:
    """Largest absolute difference of the file's answers to ``expected``; raises beyond :data:`TOLERANCE`."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names, parts = [head.output for head in spec.heads], range(0, len(inputs), ROWS_AT_ONCE)
    answers = [session.run(names, {spec.input.name: inputs[start : start + ROWS_AT_ONCE]}) for start in parts]
    got = [np.concatenate(of_head) for of_head in zip(*answers, strict=True)]
    # Not max(), for which nan may be less than 0.
    worst = float(np.max([np.abs(a - b).max(initial=0.0) for a, b in zip(got, expected, strict=True)]))
    if not worst <= TOLERANCE:
        raise ExportError(f"{path.name}: answers must equal Keras within {TOLERANCE:g}, got {worst:g} apart")
    return worst


def embed_spec(model: Any, spec: ModelSpec) -> None:
    """Write ``spec`` into the metadata of an ``onnx.ModelProto``, replacing one that is there."""
    kept = [entry for entry in model.metadata_props if entry.key != METADATA_KEY]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    model.metadata_props.add(key=METADATA_KEY, value=spec.to_json())


def exported_model(run: Path) -> Path:
    """``run/model.onnx``; raises :class:`ExportError` for the folder of a run that writes other files."""
    path = run / "model.onnx"
    others = sorted(file.name for file in run.glob("*.onnx"))
    if others and not path.is_file():
        raise ExportError(
            f"{run} must be the folder of a finished run with model.onnx, got {', '.join(others)}; emotion_lite and "
            "face_lite cannot be pruned, and write their ONNX files, INT8 included, by themselves"
        )
    return path


def read_spec(path: Path) -> ModelSpec:
    """The spec inside an ONNX file, or beside it; raises what :func:`ferserve.models.store.open_model_file` does."""
    return open_model_file(path).spec


def _output_order(outputs: Any, spec: ModelSpec) -> list[int]:
    """Index into ``spec.heads`` of each graph output; a dict is flattened in the order of its sorted keys."""
    names = [head.name for head in spec.heads]
    if isinstance(outputs, dict):
        return [names.index(key) for key in sorted(outputs)]
    return list(range(len(names)))


def _name_ends(graph: Any, spec: ModelSpec, order: list[int]) -> None:
    """Rename input and outputs as ``spec`` does, and make the first axis dynamic."""
    if len(graph.input) != 1 or len(graph.output) != len(order):
        raise ExportError(
            f"model must have 1 input, {len(order)} outputs, got {len(graph.input)} and {len(graph.output)}"
        )
    names = {graph.input[0].name: spec.input.name}
    names |= {out.name: spec.heads[head].output for out, head in zip(graph.output, order, strict=True)}
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for end in (*graph.input, *graph.output):
        end.name = names[end.name]
        axis = end.type.tensor_type.shape.dim[0]
        axis.Clear()
        axis.dim_param = "batch"


@contextlib.contextmanager
def quiet() -> Any:
    """Silence converters that print; errors still come as exceptions."""
    with open(os.devnull, "w") as sink, contextlib.redirect_stdout(sink), contextlib.redirect_stderr(sink):
        yield
