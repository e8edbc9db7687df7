"""The trained network as the served ONNX graph: normalisation folded in, NCHW, probabilities per head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from ferserve.models.spec import ModelSpec
from training.common.atomic_write import atomic_write
from training.common.export import compare, embed_spec
from training.emotion_lite.backend import variable_arrays
from training.emotion_lite.fit import predict_logits
from training.emotion_lite.temperature import softmax
from training.models.emotion_lite import MirrorConvNorm
from training.models.emotion_stages import HEADS, Stage, split_heads

Floats = NDArray[np.float32]
OPSET = 17


class _Graph:
    """Nodes and weights of a graph under construction."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def add(self, op: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(op, list(inputs), [output], name=output, **attributes))
        return output

    def weight(self, name: str, value: NDArray[Any]) -> str:
        from onnx import numpy_helper

        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def conv(self, layer: MirrorConvNorm, source: str) -> str:
        kernel, bias = fold(layer)
        names = [source, self.weight(f"{layer.name}.kernel", kernel), self.weight(f"{layer.name}.bias", bias)]
        made = self.add(
            "Conv",
            names,
            layer.name,
            kernel_shape=[layer.kernel_size] * 2,
            strides=[layer.stride] * 2,
            pads=[layer.padding] * 4,
        )
        return self.add("Relu", [made], f"{layer.name}.relu") if layer.activate else made


def fold(layer: MirrorConvNorm) -> tuple[Floats, Floats]:
    """(out, in, k, k) kernel and (out,) bias equal to convolution and normalisation at inference."""
    norm = layer.norm
    gain = _array(norm.gamma) / np.sqrt(_array(norm.moving_variance) + norm.epsilon)
    bias = _array(norm.beta) - _array(norm.moving_mean) * gain
    kernel = np.asarray(ops.convert_to_numpy(layer.kernel())).transpose(3, 2, 0, 1)
    return kernel * np.tile(gain, 2)[:, None, None, None], np.tile(bias, 2)


def _array(variable: Any) -> Floats:
    return variable_arrays([variable])[0]


def build_graph(model: Any, stages: Sequence[Stage], spec: ModelSpec, temperatures: Mapping[str, float]) -> Any:
    """An ``onnx.ModelProto`` of ``model`` (from ``build_model(stages)``) with ``spec`` inside.

    Input float32 (batch, 1, H, W); one output of probabilities, float32 (batch, classes), per head. The
    ``temperatures`` divide the logits within the last matrix, at no cost.
    """
    from onnx import TensorProto, checker, helper

    graph = _Graph()
    x = spec.input.name
    for s, stage in enumerate(stages):
        x = graph.conv(model.get_layer(f"stage{s}_in"), x)
        for p in range(stage.pairs):
            y = graph.conv(model.get_layer(f"stage{s}_pair{p}_a"), x)
            y = graph.conv(model.get_layer(f"stage{s}_pair{p}_b"), y)
            total = graph.add("Add", [x, y], f"stage{s}_pair{p}.sum")
            x = graph.add("Relu", [total], f"stage{s}_pair{p}.relu")
    x = graph.add("GlobalAveragePool", [x], "pool")
    x = graph.add("Flatten", [x], "features", axis=1)
    _add_heads(graph, model.get_layer("heads"), x, spec, temperatures)
    ends = helper.make_tensor_value_info(spec.input.name, TensorProto.FLOAT, ["batch", *spec.input.row_shape])
    outputs = [
        helper.make_tensor_value_info(head.output, TensorProto.FLOAT, ["batch", len(head.labels)])
        for head in spec.heads
    ]
    made = helper.make_model(
        helper.make_graph(graph.nodes, "emotion_lite", [ends], outputs, graph.weights),
        opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8, producer_name="ferserve training",
    )  # fmt: skip
    embed_spec(made, spec)
    checker.check_model(made)
    return made


def _add_heads(graph: _Graph, dense: Any, x: str, spec: ModelSpec, temperatures: Mapping[str, float]) -> None:
    """One product for all heads, cut and turned into probabilities."""
    # The features of the graph are those of both halves; the matrix takes their mean.
    kernel = np.tile(_array(dense.kernel) / 2, (2, 1))
    scale = np.concatenate([np.full(n, 1 / temperatures.get(name, 1.0), np.float32) for name, n in HEADS.items()])
    names = [x, graph.weight("heads.kernel", kernel * scale)]
    logits = graph.add("Gemm", [*names, graph.weight("heads.bias", _array(dense.bias) * scale)], "logits")
    start = 0
    for head in spec.heads:
        end = start + HEADS[head.name]
        cut = {"from": start, "to": end, "axis": 1}
        names = [graph.weight(f"{head.name}.{key}", np.array([value])) for key, value in cut.items()]
        part = graph.add("Slice", [logits, *names], f"{head.name}.logits")
        graph.add("Softmax", [part], head.output, axis=-1)
        start = end


def export_graph(
    model: Any, stages: Sequence[Stage], spec: ModelSpec, temperatures: Mapping[str, float], path: Path,
    images: NDArray[np.uint8],
) -> float:  # fmt: skip
    """Write the graph and check it on ``images`` (N, 48, 48); returns the largest difference to Keras.

    Raises :class:`training.errors.ExportError`, and writes no file, beyond the tolerance.
    """
    import onnx

    made = build_graph(model, stages, spec, temperatures)
    with atomic_write(path) as partial:
        onnx.save(made, partial)
        logits = split_heads(predict_logits(model, images, exact=True))
        expected = [softmax(logits[head.name], temperatures.get(head.name, 1.0)) for head in spec.heads]
        return compare(partial, served_input(images, spec), expected, spec)


def served_input(images: NDArray[np.uint8], spec: ModelSpec) -> Floats:
    """(N, 1, 48, 48) float32 normalised as the spec says; ``images`` have its size already."""
    scaled = images.astype(np.float32) * np.float32(spec.input.scale)
    return ((scaled - np.float32(spec.input.mean[0])) / np.float32(spec.input.std[0]))[:, None]
