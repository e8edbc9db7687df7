"""Models from somewhere else whose first run would never end, or would fill the machine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from ferserve.config import EngineConfig
from ferserve.errors import ModelSpecError
from ferserve.models.spec import METADATA_KEY
from ferserve.runtime.registry import ModelRegistry
from tests.tiny_models import brightness_spec, write_brightness_model


def _with_nodes_before(path: Path, nodes: list[onnx.NodeProto], constants: dict[str, np.ndarray]) -> Path:
    """The brightness model, whose answer waits for the scalar ``extra`` of further nodes."""
    model = onnx.load(write_brightness_model(path))
    graph = model.graph
    graph.node[-1].output[0] = "brightness"
    graph.node.extend([*nodes, helper.make_node("Add", ["brightness", "extra"], ["probabilities"])])
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    helper.set_model_props(model, {METADATA_KEY: brightness_spec(path.stem).to_json()})
    onnx.save(model, path)
    return path


def _endless(path: Path) -> Path:
    """A loop without an end that adds zero to zero."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["goes_on"], ["goes_on_out"]),
            helper.make_node("Add", ["sum", "sum"], ["sum_out"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("turn", onnx.TensorProto.INT64, []),
            helper.make_tensor_value_info("goes_on", onnx.TensorProto.BOOL, []),
            helper.make_tensor_value_info("sum", onnx.TensorProto.FLOAT, []),
        ],
        [
            helper.make_tensor_value_info("goes_on_out", onnx.TensorProto.BOOL, []),
            helper.make_tensor_value_info("sum_out", onnx.TensorProto.FLOAT, []),
        ],
    )
    loop = helper.make_node("Loop", ["", "yes", "zero"], ["extra"], body=body)
    return _with_nodes_before(path, [loop], {"yes": np.array(True), "zero": np.array(0, np.float32)})


def _giant(path: Path) -> Path:
    """A tensor of 10^13 zeros between two nodes: 40 TB, which no machine here has."""
    shape = np.array([10**4, 10**9], np.int64)
    nodes = [
        helper.make_node("RandomNormal", [], ["seed"], shape=[1]),  # or the graph is folded as it is loaded
        helper.make_node("Expand", ["seed", "shape"], ["giant"]),
        helper.make_node("ReduceMax", ["giant"], ["extra"], keepdims=0),
    ]
    return _with_nodes_before(path, nodes, {"shape": shape})


def _load(path: Path, max_first_run_s: float) -> None:
    config = EngineConfig(model=str(path), max_batch_size=1, max_first_run_s=max_first_run_s, device="cpu")
    ModelRegistry(config, 1, lambda: False)


def test_a_graph_that_never_ends_is_given_up(tmp_path: Path) -> None:
    with pytest.raises(ModelSpecError, match=r"model must answer one row within 0.2 s \(engine.max_first_run_s\)"):
        _load(_endless(tmp_path / "endless.onnx"), 0.2)


def test_a_graph_that_needs_more_memory_than_there_is_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelSpecError, match="model must run on one row here, got: "):
        _load(_giant(tmp_path / "giant.onnx"), 60)


def test_others_run(tmp_path: Path) -> None:
    _load(write_brightness_model(tmp_path / "m.onnx"), 60)
