"""ONNX files of a few hundred bytes whose answers are known, for tests of everything around a model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from ferserve.models.spec import METADATA_KEY, HeadSpec, InputSpec, ModelSpec

LABELS = ("dark", "bright")


def brightness_spec(name: str = "brightness", *, side: int = 8) -> ModelSpec:
    """A model that says how bright a face is: ``bright`` is its mean luma over 255."""
    return ModelSpec(
        name=name,
        version="1",
        input=InputSpec(side, side, square=False),
        heads=(HeadSpec("emotion", LABELS, output="probabilities"),),
        license="Apache-2.0",
    )


def write_brightness_model(path: Path, spec: ModelSpec | None = None, *, embed: bool = True) -> Path:
    """Write the graph of :func:`brightness_spec`; without ``embed`` the file carries no spec."""
    spec = spec or brightness_spec(path.stem)
    flip = numpy_helper.from_array(np.array([[-1.0, 1.0]], np.float32), "flip")
    base = numpy_helper.from_array(np.array([1.0, 0.0], np.float32), "base")
    nodes = [
        helper.make_node("GlobalAveragePool", [spec.input.name], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["bright"]),
        helper.make_node("MatMul", ["bright", "flip"], ["both"]),
        helper.make_node("Add", ["both", "base"], ["probabilities"]),
    ]
    shape = ["N", *spec.input.row_shape]
    graph = helper.make_graph(
        nodes,
        "brightness",
        [helper.make_tensor_value_info(spec.input.name, onnx.TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("probabilities", onnx.TensorProto.FLOAT, ["N", 2])],
        [flip, base],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    if embed:
        helper.set_model_props(model, {METADATA_KEY: spec.to_json()})
    onnx.save(model, path)
    return path
