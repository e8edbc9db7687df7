"""Which convolutions suit a CPU core: ``python -m tests.benchmarks.emotion_networks``.

Networks for 48x48 luma with random weights, batch 1, one thread of ONNX Runtime, timed in turns.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

SIDE = 48
CLASSES = 17
ROUNDS, RUNS = 15, 100


@dataclass(frozen=True)
class Shape:
    """A network: each width but the first halves the grid and, from the third on, has two more convolutions."""

    name: str
    widths: tuple[int, ...]
    separable: bool = False
    """3x3 depthwise and 1x1 convolutions instead of plain 3x3 ones."""
    sums: bool = True
    """Whether those two convolutions are a residual pair."""


SHAPES = (
    Shape("depthwise-separable, 48-96-192-384-384", (48, 96, 192, 384, 384), separable=True),
    Shape("plain 3x3 residual, 16-32-64-128-224", (16, 32, 64, 128, 224)),
    Shape("the same without residual sums", (16, 32, 64, 128, 224), sums=False),
    Shape("plain 3x3 residual, 32-64-128-192", (32, 64, 128, 192)),
    Shape("plain 3x3 residual, 16-48-64-128", (16, 48, 64, 128)),
)


class Drawing:
    """An ONNX graph in the making, and what it costs."""

    def __init__(self, shape: Shape) -> None:
        self.shape, self.random = shape, np.random.default_rng(0)
        self.nodes: list[object] = []
        self.weights: list[object] = []
        self.macs = self.parameters = 0
        self.last, self.channels, self.side = "luma", 1, SIDE
        for i, width in enumerate(shape.widths):
            self.convolution(width, stride=2 if i else 1)
            if i >= 2:
                self.pair()
        self.classify()

    def add(self, kind: str, inputs: list[str], **attributes: object) -> None:
        self.last = f"{kind}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [self.last], **attributes))

    def weight(self, *shape: int) -> str:
        values = self.random.normal(0, np.sqrt(2 / max(1, np.prod(shape[1:]))), shape).astype(np.float32)
        self.weights.append(numpy_helper.from_array(values, f"w{len(self.weights)}"))
        self.parameters += values.size
        return f"w{len(self.weights) - 1}"

    def convolution(self, width: int, *, stride: int = 1, relu: bool = True) -> None:
        self.side //= stride
        if self.shape.separable and self.channels > 1:
            self._conv(self.channels, 3, stride, groups=self.channels)
            self._conv(width, 1, 1)
        else:
            self._conv(width, 3, stride)
        if relu:
            self.add("Relu", [self.last])

    def _conv(self, width: int, kernel: int, stride: int, groups: int = 1) -> None:
        names = [self.last, self.weight(width, self.channels // groups, kernel, kernel), self.weight(width)]
        pads = [kernel // 2] * 4
        self.add("Conv", names, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=pads, group=groups)
        self.macs += self.side**2 * width * self.channels // groups * kernel**2
        self.channels = width

    def pair(self) -> None:
        before = self.last
        self.convolution(self.channels)
        self.convolution(self.channels, relu=not self.shape.sums)
        if self.shape.sums:
            self.add("Add", [self.last, before])
            self.add("Relu", [self.last])

    def classify(self) -> None:
        self.add("GlobalAveragePool", [self.last])
        self.add("Flatten", [self.last])
        self.add("Gemm", [self.last, self.weight(self.channels, CLASSES)])
        self.macs += self.channels * CLASSES

    def session(self) -> onnxruntime.InferenceSession:
        ends = [
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)]
            for name, shape in (("luma", [1, 1, SIDE, SIDE]), (self.last, [1, CLASSES]))
        ]
        graph = helper.make_graph(self.nodes, "network", *ends, self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def seconds_a_run(session: onnxruntime.InferenceSession) -> float:
    """Mean of :data:`RUNS`."""
    image = {"luma": np.zeros((1, 1, SIDE, SIDE), np.float32)}
    began = time.perf_counter()
    for _ in range(RUNS):
        session.run(None, image)
    return (time.perf_counter() - began) / RUNS


def main() -> None:
    """Print one Markdown row for each network, by its fastest round."""
    drawings = [Drawing(shape) for shape in SHAPES]
    sessions = [drawing.session() for drawing in drawings]
    rounds = [[seconds_a_run(session) for session in sessions] for _ in range(ROUNDS)]
    print("| network | parameters | MACs | images/s | MACs/s |\n|---|---|---|---|---|")
    for drawing, seconds in zip(drawings, np.min(rounds, axis=0), strict=True):
        size, macs = f"{drawing.parameters / 1e6:.2f} M", f"{drawing.macs / 1e6:.0f} M"
        speed = f"{1 / seconds:,.0f} | {drawing.macs / seconds / 1e9:.0f} G"
        print(f"| {drawing.shape.name} | {size} | {macs} | {speed} |")


if __name__ == "__main__":
    main()
