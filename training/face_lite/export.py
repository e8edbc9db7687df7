"""face-lite as an ONNX graph: normalisation folded into the convolutions, weights stored as float16.

The graph is drawn a second time by :func:`training.models.face_lite.draw`, so nothing of Keras's own export is in it:
no transposes between layouts, and nothing that ONNX Runtime cannot fuse. float16 halves the file; the runtime turns
the weights to float32 once, when it loads them.
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from ferserve.models.detector_spec import DETECTOR_METADATA_KEY, DetectorSpec
from training.models.face_lite import INPUT_SCALE, OUTPUTS, FaceLiteConfig, draw

Floats = NDArray[np.float32]
OPSET = 17
IR_VERSION = 8


class OnnxOps:
    """Nodes of ONNX, channels first, for :func:`draw`; values are names of tensors."""

    def __init__(self, network: keras.Model, score_shift: float = 0.0) -> None:
        self._network = network
        self._score_shift = score_shift
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def node(self, kind: str, inputs: list[str], output: str = "", **attributes: object) -> str:
        """Append a node; returns the name of its output."""
        name = output or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=f"{name}_node", **attributes))
        return name

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        """A constant of the graph."""
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def weight(self, name: str, value: Floats) -> str:
        """A constant that is stored as float16 and used as float32."""
        stored = self.constant(f"{name}_half", value.astype(np.float16))
        return self.node("Cast", [stored], name, to=TensorProto.FLOAT)

    def convolution(
        self,
        x: str,
        name: str,
        filters: int,
        size: int = 3,
        stride: int = 1,
        depthwise: bool = False,
        relu: bool = True,
    ) -> str:
        kernel, bias = folded(self._network, name, depthwise)
        if name == "stem":
            kernel = kernel * np.float32(INPUT_SCALE)
        return self._conv(x, name, kernel, bias, stride, filters if depthwise else 1, relu)

    def _conv(self, x: str, name: str, kernel: Floats, bias: Floats, stride: int, group: int, relu: bool) -> str:
        inputs = [x, self.weight(f"{name}_kernel", kernel), self.weight(f"{name}_bias", bias)]
        edge = kernel.shape[-1] // 2
        # Keras pads by what is missing, and by one more at the end: nothing at the start where it halves.
        pads = [0, 0, edge, edge] if stride == 2 else [edge] * 4
        y = self.node(
            "Conv",
            inputs,
            f"{name}_out",
            kernel_shape=list(kernel.shape[2:]),
            strides=[stride, stride],
            pads=pads,
            group=group,
        )
        return self.node("Relu", [y], f"{name}_relu") if relu else y

    def residual(self, x: str, name: str, filters: int) -> str:
        y = self.convolution(x, name, filters, relu=False)
        return self.node("Relu", [self.node("Add", [y, x], f"{name}_sum")], f"{name}_relu")

    def add_upsampled(self, fine: str, coarse: str) -> str:
        scales = self.constant(f"{coarse}_scales", np.array([1, 1, 2, 2], np.float32))
        mode = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        return self.node("Add", [fine, self.node("Resize", [coarse, "", scales], **mode)])

    def head(self, x: str, name: str) -> str:
        kernel, bias = (np.array(w, np.float32) for w in self._network.get_layer(name).get_weights())
        bias[0] -= self._score_shift
        return self._conv(x, name, kernel.transpose(3, 2, 0, 1), bias, 1, 1, relu=False)


def folded(network: keras.Model, name: str, depthwise: bool) -> tuple[Floats, Floats]:
    """Kernel (out, in, h, w) and bias of a convolution together with the normalisation that follows it."""
    kernel = np.asarray(network.get_layer(name).get_weights()[0], np.float64)
    norm = network.get_layer(f"{name}_norm")
    gamma, beta, mean, variance = (np.asarray(w, np.float64) for w in norm.get_weights())
    gain = gamma / np.sqrt(variance + norm.epsilon)
    ordered = kernel.transpose(2, 3, 0, 1) if depthwise else kernel.transpose(3, 2, 0, 1)
    return (ordered * gain[:, None, None, None]).astype(np.float32), (beta - mean * gain).astype(np.float32)


def export_face_lite(
    network: keras.Model, config: FaceLiteConfig, spec: DetectorSpec, path: Path, score_shift: float = 0.0
) -> None:
    """Write the network to ``path``: uint8 (1, 1, H, W) in, float32 (16, cells) out, any H and W that are multiples of
    32, with ``spec`` inside.

    ``score_shift`` is taken from the score logits, so that a score of 0.5 is where the detector is meant to be used.
    """
    ops = OnnxOps(network, score_shift)
    image = ops.node("Cast", [spec.input], "pixels", to=TensorProto.FLOAT)
    maps = draw(ops, image, config)
    shape = ops.constant("rows_by_cells", np.array([OUTPUTS, -1], np.int64))
    rows = [ops.node("Reshape", [m, shape], f"{m}_rows") for m in maps]
    ops.node("Concat", rows, spec.output, axis=1)
    graph = helper.make_graph(
        ops.nodes,
        spec.name,
        [helper.make_tensor_value_info(spec.input, TensorProto.UINT8, [1, 1, "height", "width"])],
        [helper.make_tensor_value_info(spec.output, TensorProto.FLOAT, [OUTPUTS, "cells"])],
        ops.weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    helper.set_model_props(model, {DETECTOR_METADATA_KEY: spec.to_json()})
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
