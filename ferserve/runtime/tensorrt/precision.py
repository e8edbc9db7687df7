"""The ONNX graph that TensorRT is given: its types are the engine's types, in TensorRT 10 and 11 alike.

TensorRT 11 has no flags for FP16 and INT8 and no calibrator, so precision comes from the graph, in strongly typed
networks: half-precision graphs for FP16, graphs with QuantizeLinear and DequantizeLinear for INT8. Those of this
project quantise activations to unsigned bytes, as VNNI wants it; TensorRT reads signed ones with a zero point of 0.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ferserve.errors import ConfigError, ModelSpecError

Precision = Literal["fp32", "fp16", "int8"]
_NEEDED = "engine.device 'tensorrt-native' needs the Python package onnx, got none; pip install 'ferserve[tensorrt]'"
_KEEP_FLOAT = ("Softmax", "Log", "Exp", "Pow", "Div", "ReduceSum")
"""Ops whose result half precision spoils; they are a thousandth of the work."""


def typed_graph(path: Path, half: bool) -> tuple[bytes, Precision]:
    """The graph of the model at ``path`` for TensorRT, and its precision.

    A quantised model stays INT8; any other becomes FP16 if ``half``, with inputs and outputs as they were. Raises
    :class:`ConfigError` if the package onnx is missing, :class:`ModelSpecError` if the file is no such model.
    """
    onnx = _load_onnx()
    try:
        model = onnx.load(path)
    except Exception as error:  # protobuf's classes, OSError and onnx's own
        raise ModelSpecError(f"{path} must be an ONNX model, got: {str(error).splitlines()[0][:200]}") from None
    if any(node.op_type == "QuantizeLinear" for node in model.graph.node):
        _sign(model, path)
        return model.SerializeToString(), "int8"
    if half:
        return _halved(model).SerializeToString(), "fp16"
    return model.SerializeToString(), "fp32"


_SPARED = 0.5
"""Share of the activations, the first ones, that stay floats: signed bytes lose a bit behind each ReLU, and what the
first layers lose changes most labels (docs/decisions/0130)."""


def _load_onnx() -> Any:
    try:
        import onnx
    except ImportError:
        raise ConfigError(_NEEDED) from None
    return onnx


def _halved(model: Any) -> Any:
    from onnxruntime.transformers.float16 import convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    halved = OnnxModel(convert_float_to_float16(model, keep_io_types=True, op_block_list=list(_KEEP_FLOAT)))
    halved.topological_sort()  # the conversion appends its casts
    return halved.model


def _sign(model: Any, path: Path) -> None:
    """Turn unsigned quantisation into symmetric signed one, weights and biases into what TensorRT folds itself."""
    graph = _Graph(model.graph, path)
    nodes: list[Any] = []
    for node in list(model.graph.node):
        if node.op_type == "QuantizeLinear":
            nodes += graph.quantise(node)
        elif node.op_type == "DequantizeLinear":
            nodes += graph.dequantise(node)
        else:
            nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    used = {name for node in nodes for name in node.input}
    kept = [tensor for tensor in model.graph.initializer if tensor.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)


class _Graph:
    """Constants of a quantised graph by name, and nodes that say the same in signed bytes."""

    def __init__(self, graph: Any, path: Path) -> None:
        from onnx import numpy_helper

        self._graph, self._path = graph, path
        self._constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        unsigned = [n for n in graph.node if n.op_type == "QuantizeLinear" and self._is_unsigned(n)]
        spared = {node.output[0] for node in unsigned[: math.ceil(len(unsigned) * _SPARED)]}
        floats = {
            node.output[0] for node in graph.node if node.op_type == "DequantizeLinear" and node.input[0] in spared
        }
        self._spared = spared
        """Quantised activations that stay floats."""
        self._beside = {name for node in graph.node if floats.intersection(node.input) for name in node.input}
        """Inputs of nodes that take such activations: their weights stay floats too."""

    def _is_unsigned(self, node: Any) -> bool:
        return bool(self._scale_and_zero(node)[1].dtype == np.uint8)

    def quantise(self, node: Any) -> list[Any]:
        """Nodes in place of a QuantizeLinear of activations."""
        from onnx import helper

        scale, zero = self._scale_and_zero(node)
        if zero.dtype == np.int8:
            return [node]
        made = []
        source = node.input[0]
        if not zero.any():  # unsigned bytes from 0 on cut off what is negative, and so stand for a ReLU
            made.append(helper.make_node("Relu", [source], [f"{node.output[0]}.cut"], name=f"{node.name}.cut"))
            source = f"{node.output[0]}.cut"
        if node.output[0] in self._spared:
            return [*made, helper.make_node("Identity", [source], list(node.output), name=node.name)]
        names = [source, *self._signed(node, scale, zero)]
        return [*made, helper.make_node("QuantizeLinear", names, list(node.output), name=node.name)]

    def dequantise(self, node: Any) -> list[Any]:
        """Nodes in place of a DequantizeLinear of activations, weights or a bias."""
        from onnx import helper

        scale, zero = self._scale_and_zero(node)
        stored = self._constants.get(node.input[0])
        if stored is None:
            if node.input[0] in self._spared:
                return [helper.make_node("Identity", [node.input[0]], list(node.output), name=node.name)]
            if zero.dtype == np.int8:
                return [node]
            names = [node.input[0], *self._signed(node, scale, zero)]
            return [helper.make_node("DequantizeLinear", names, list(node.output), name=node.name)]
        axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
        real = _dequantised(stored, scale, zero, axis)
        if stored.dtype == np.int32 or node.output[0] in self._beside:
            self._add(node.output[0], real)
            return []
        return self._paired(node, real, axis)

    def _paired(self, node: Any, real: Any, axis: int) -> list[Any]:
        """Weights as floats behind both nodes, which TensorRT folds; the bytes come out as they were."""
        from onnx import helper

        source = self._add(f"{node.output[0]}.real", real)
        names = list(node.input[1:])
        between = f"{node.output[0]}.bytes"
        first = helper.make_node("QuantizeLinear", [source, *names], [between], name=f"{node.name}.q", axis=axis)
        second = helper.make_node("DequantizeLinear", [between, *names], list(node.output), name=node.name, axis=axis)
        return [first, second]

    def _signed(self, node: Any, scale: Any, zero: Any) -> list[str]:
        low, high = (0 - float(zero)) * float(scale), (255 - float(zero)) * float(scale)
        name = f"{node.name or node.output[0]}.signed"
        most = np.float32(max(-low, high) / 127)
        return [self._add(f"{name}_scale", most), self._add(f"{name}_zero", np.int8(0))]

    def _add(self, name: str, value: Any) -> str:
        from onnx import numpy_helper

        self._graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def _scale_and_zero(self, node: Any) -> tuple[Any, Any]:
        try:
            scale = self._constants[node.input[1]]
            zero = self._constants[node.input[2]] if len(node.input) > 2 else np.uint8(0)
        except KeyError as error:
            raise ModelSpecError(f"{self._path} must have constant scales, got {error} computed by a node") from None
        return scale, np.asarray(zero)


def _dequantised(stored: Any, scale: Any, zero: Any, axis: int) -> Any:
    shape = [1] * stored.ndim
    if np.size(scale) > 1:
        shape[axis] = -1
    difference = stored.astype(np.float64) - np.reshape(zero, shape if np.size(zero) > 1 else [1] * stored.ndim)
    return (difference * np.reshape(scale, shape)).astype(np.float32)
