"""A model of a few hundred bytes that looks at colours, has two heads, and is aligned by landmarks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

SPEC = {
    "name": "colours",
    "version": "3",
    "input": {
        "height": 24,
        "width": 20,
        "color": "rgb",
        "layout": "NHWC",
        "mean": [0.4, 0.5, 0.6],
        "std": [0.2, 0.3, 0.4],
        "resize": "antialias",
        "margin": 0.1,
        "align": "landmarks",
    },
    "heads": [
        {
            "name": "emotion",
            "labels": ["red", "green", "blue"],
            "output": "mean",
            "outputs": "logits",
            "temperature": 2.0,
        },
        {"name": "light", "labels": ["dark", "light"], "output": "light"},
    ],
    "license": "Apache-2.0",
    "trained_on": ["nothing"],
    "metrics": {"nothing/test/accuracy": 0.25},
}


def write_colour_model(path: Path) -> None:
    """The first head's logits are the mean of each channel, the second's probabilities follow from their sum."""
    weights = numpy_helper.from_array(np.array([[-1, 1], [-2, 2], [-1, 1]], np.float32), "weights")
    axes = numpy_helper.from_array(np.array([1, 2], np.int64), "axes")
    nodes = [
        helper.make_node("ReduceMean", ["input", "axes"], ["mean"], keepdims=0),
        helper.make_node("MatMul", ["mean", "weights"], ["sums"]),
        helper.make_node("Softmax", ["sums"], ["light"]),
    ]
    floats = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("input", floats, ["N", 24, 20, 3])],
        [helper.make_tensor_value_info(name, floats, ["N", size]) for name, size in (("mean", 3), ("light", 2))],
        [weights, axes],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(model, {"ferserve.model_spec": json.dumps(SPEC)})
    onnx.save(model, path)
