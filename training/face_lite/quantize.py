"""Quantises face-lite to INT8 and compares both files: ``python -m training.face_lite.quantize --help``."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import numpy_helper

from ferserve.detection.factory import read_detector_spec
from ferserve.models.detector_spec import DETECTOR_METADATA_KEY
from training.common.atomic_write import atomic_write
from training.common.int8_calibration import Int8CalibrationReader
from training.errors import in_one_line
from training.face_lite.evaluate import evaluate_weights, shrink
from training.face_lite.photographs import Photograph, load_photographs

CALIBRATION_SIZE = (256, 320)
"""Height and width of the letterbox on which ranges are measured."""


def letterboxed(photograph: Photograph) -> NDArray[np.uint8]:
    """uint8 (1, 1, H, W): the photograph in the corner of a black letterbox."""
    luma, _ = shrink(photograph.luma, photograph.faces, CALIBRATION_SIZE[1])
    luma = luma[: CALIBRATION_SIZE[0]]
    rows = np.zeros((1, 1, *CALIBRATION_SIZE), np.uint8)
    rows[0, 0, : luma.shape[0], : luma.shape[1]] = luma
    return rows


def widen(model: onnx.ModelProto) -> None:
    """Store float16 weights as float32, in which the graph uses them: the quantiser expects that."""
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    rest = []
    for node in model.graph.node:
        if node.op_type == "Cast" and node.input[0] in stored:
            tensor = stored[node.input[0]]
            model.graph.initializer.remove(tensor)
            wide = numpy_helper.to_array(tensor).astype(np.float32)
            model.graph.initializer.append(numpy_helper.from_array(wide, node.output[0]))
        else:
            rest.append(node)
    del model.graph.node[:]
    model.graph.node.extend(rest)


def quantize_detector(source: Path, target: Path, photographs: Sequence[Photograph]) -> None:
    """Write ``target``: static INT8, weights per channel, heads in float, ranges measured on ``photographs``."""
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    spec, model = read_detector_spec(source), onnx.load(source)
    widen(model)
    heads = [node.name for node in model.graph.node if node.name.startswith("head")]
    with atomic_write(target) as partial:
        wide = partial.with_suffix(".wide.onnx")
        onnx.save(model, wide)
        quantize_static(
            wide,
            partial,
            Int8CalibrationReader({spec.input: letterboxed(photograph)} for photograph in photographs),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            op_types_to_quantize=["Conv", "Add", "Resize", "Relu"],
            nodes_to_exclude=heads,
        )
        quantized = onnx.load(partial)
        onnx.helper.set_model_props(quantized, {DETECTOR_METADATA_KEY: spec.to_json()})
        onnx.save(quantized, partial)


def graph_ms(paths: Sequence[Path], height: int, width: int, rounds: int = 100) -> list[float]:
    """Shortest time of each graph on one thread, in milliseconds; the graphs take turns."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    sessions = [onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"]) for path in paths]
    luma = np.random.default_rng(0).integers(0, 256, (1, 1, height, width), dtype=np.uint8)
    least = [float("inf")] * len(paths)
    for _ in range(rounds):
        for i, session in enumerate(sessions):
            for _ in range(3):
                begin = time.perf_counter()
                session.run(None, {session.get_inputs()[0].name: luma})
                least[i] = min(least[i], time.perf_counter() - begin)
    return [1e3 * seconds for seconds in least]


def main() -> None:
    """Quantise, then print size, time and average precision of both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="training photographs")
    parser.add_argument("--labels", type=Path, required=True, help="their labels.npz")
    parser.add_argument("--out", type=Path, required=True, help="the INT8 file to write")
    chosen = parser.parse_args()
    photographs = list(load_photographs(chosen.data, chosen.labels))
    kept = [photograph for photograph in photographs if photograph.is_validation]
    learnt = [photograph for photograph in photographs if not photograph.is_validation]
    quantize_detector(chosen.model, chosen.out, learnt[:: max(1, len(learnt) // 270)])
    paths = [chosen.model, chosen.out]
    times = list(zip(*(graph_ms(paths, height, width) for height, width in ((256, 320), (128, 160))), strict=True))
    for path, (large, small) in zip(paths, times, strict=True):
        precision = evaluate_weights(path, kept).average_precision(12)
        size = path.stat().st_size / 1000
        print(f"{path.name}: {size:.0f} kB, {large:.3f} ms at 320x256, {small:.3f} ms at 160x128, AP {precision:.3f}")


if __name__ == "__main__":
    sys.exit(in_one_line(main))
