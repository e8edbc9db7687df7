"""Writes a plain convolutional net of about a millisecond a face, random weights: the model of single-crop figures.

``python -m tests.benchmarks.plain_model PATH.onnx``. What it says of a face means nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ferserve.models.spec import METADATA_KEY, HeadSpec, InputSpec, ModelSpec

LABELS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
WIDTHS = (32, 32, 72, 72, 128, 160)
"""Channels of the 3x3 convolutions; every second one is followed by a pooling that halves the sides."""


def write_plain_model(path: Path) -> None:
    """Luma 48x48 in, probabilities of :data:`LABELS` out; 0.97 ms on a Zen 5 core."""
    spec = ModelSpec(
        name=path.stem,
        version="1",
        input=InputSpec(48, 48),
        heads=(HeadSpec("emotion", LABELS, output="probabilities"),),
        license="Apache-2.0",
    )
    random = np.random.default_rng(0)
    weights, nodes = [], []
    last, channels = spec.input.name, 1
    for i, width in enumerate(WIDTHS):
        kernel = random.standard_normal((width, channels, 3, 3)) * np.sqrt(2 / (9 * channels))
        weights.append(numpy_helper.from_array(kernel.astype(np.float32), f"kernel{i}"))
        nodes.append(helper.make_node("Conv", [last, f"kernel{i}"], [f"conv{i}"], pads=[1, 1, 1, 1]))
        nodes.append(helper.make_node("Relu", [f"conv{i}"], [f"relu{i}"]))
        last, channels = f"relu{i}", width
        if i % 2:
            nodes.append(helper.make_node("MaxPool", [last], [f"pool{i}"], kernel_shape=[2, 2], strides=[2, 2]))
            last = f"pool{i}"
    dense = random.standard_normal((channels, len(LABELS))) * 0.05
    weights.append(numpy_helper.from_array(dense.astype(np.float32), "dense"))
    nodes += [
        helper.make_node("GlobalAveragePool", [last], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["features"]),
        helper.make_node("MatMul", ["features", "dense"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        spec.name,
        [helper.make_tensor_value_info(spec.input.name, TensorProto.FLOAT, ["N", *spec.input.row_shape])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", len(LABELS)])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {METADATA_KEY: spec.to_json()})
    onnx.save(model, path)


if __name__ == "__main__":
    write_plain_model(Path(sys.argv[1]))
