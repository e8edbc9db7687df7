"""Halves and quarters of an exported model: FP16, and static INT8 calibrated on training images."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.export import embed_spec, quiet, read_spec

CALIBRATION_BATCH = 16


def to_fp16(source: Path, target: Path) -> Path:
    """Weights and arithmetic in half precision; inputs and outputs stay float32, so serving needs no change."""
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    model = convert_float_to_float16(onnx.load(source), keep_io_types=True, disable_shape_infer=False)
    embed_spec(model, read_spec(source))
    onnx.save(model, target)
    return target


def to_int8(source: Path, target: Path, rows: NDArray[np.float32]) -> Path:
    """Static INT8 in QDQ form: per-channel symmetric weights, activations' ranges seen on ``rows`` float32 (N, …)."""
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    spec = read_spec(source)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder, quiet():
        prepared, draft = Path(folder) / "prepared.onnx", Path(folder) / "int8.onnx"
        logging.getLogger().setLevel(logging.ERROR)
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            draft,
            CalibrationRows(spec.input.name, rows),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
        model = onnx.load(draft)
    embed_spec(model, spec)
    onnx.save(model, target)
    return target


class CalibrationRows:
    """Gives ONNX Runtime's calibrator one batch after the other."""

    def __init__(self, name: str, rows: NDArray[np.float32]) -> None:
        self._name, self._rows = name, rows
        self.rewind()

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """The next batch by input name, None after the last."""
        return next(self._batches, None)

    def rewind(self) -> None:
        """Begin again."""
        self._batches = self._iterate()

    def _iterate(self) -> Iterator[dict[str, NDArray[np.float32]]]:
        for begin in range(0, len(self._rows), CALIBRATION_BATCH):
            yield {self._name: self._rows[begin : begin + CALIBRATION_BATCH]}
