"""Graphs with the signatures of models that others publish, whose answers follow from the pixels.

Each output column ``k`` is ``gain[k]`` times the mean of the input over all channels and pixels, plus ``bias[k]``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper


@dataclass(frozen=True)
class Signature:
    """A file as it is published: names, shapes, and what its last layer does."""

    like: str
    file: str
    input_name: str
    input_shape: tuple[int | str, ...]
    output_name: str
    columns: int
    softmax: bool = False
    trailing: tuple[int, ...] = ()
    """Axes behind the columns."""


SIGNATURES = (
    Signature("ferplus", "emotion-ferplus-8", "Input3", (1, 1, 64, 64), "Plus692_Output_0", 8),
    Signature("hsemotion", "enet_b0_8_best_afew", "input", ("batch_size", 3, 224, 224), "output", 8),
    Signature("hsemotion", "enet_b2_7", "input", ("batch_size", 3, 260, 260), "output", 7),
    Signature("hsemotion", "enet_b0_8_va_mtl", "input", ("batch_size", 3, 224, 224), "output", 10),
    Signature("deepface", "facial_expression_model", "conv2d_input", ("N", 48, 48, 1), "dense_2", 7, softmax=True),
    Signature("mini-xception", "emotion_model", "input_1", ("N", 64, 64, 1), "predictions", 7, softmax=True),
    Signature(
        "retail-0003", "emotions-recognition", "data", (1, 3, 64, 64), "prob_emotion", 5, softmax=True, trailing=(1, 1)
    ),
    Signature("valence-arousal", "affect", "images", ("N", 3, 224, 224), "va", 2),
)


def weights(columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Gain and bias of each column."""
    rng = np.random.default_rng(columns)
    return rng.normal(size=columns).astype(np.float32), rng.normal(size=columns).astype(np.float32)


def expected_columns(signature: Signature, mean: float) -> np.ndarray:
    """The output (K,) for an input whose mean is ``mean``."""
    gain, bias = weights(signature.columns)
    values = gain.astype(np.float64) * mean + bias
    return softmax(values) if signature.softmax else values


def softmax(values: np.ndarray) -> np.ndarray:
    exponents = np.exp(values - values.max())
    return exponents / exponents.sum()


def write_foreign_model(folder: Path, signature: Signature) -> Path:
    """Write the file; it says nothing of itself."""
    gain, bias = weights(signature.columns)
    rows = signature.input_shape[0]
    nodes = [
        helper.make_node("ReduceMean", [signature.input_name], ["mean"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("MatMul", ["flat", "gain"], ["scaled"]),
        helper.make_node("Add", ["scaled", "bias"], ["sums"]),
    ]
    last = "sums"
    if signature.softmax:
        nodes.append(helper.make_node("Softmax", ["sums"], ["shares"], axis=1))
        last = "shares"
    shape = numpy_helper.from_array(np.array([-1, signature.columns, *signature.trailing], np.int64), "shape")
    nodes.append(helper.make_node("Reshape", [last, "shape"], [signature.output_name]))
    output = [rows, signature.columns, *signature.trailing]
    graph = helper.make_graph(
        nodes,
        signature.file,
        [helper.make_tensor_value_info(signature.input_name, onnx.TensorProto.FLOAT, list(signature.input_shape))],
        [helper.make_tensor_value_info(signature.output_name, onnx.TensorProto.FLOAT, output)],
        [numpy_helper.from_array(gain[None], "gain"), numpy_helper.from_array(bias, "bias"), shape],
    )
    path = folder / f"{signature.file}.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path
