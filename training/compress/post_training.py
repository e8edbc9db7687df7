"""Lower precision of an exported model: FP16, and static INT8 with ranges from training images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.common.atomic_write import atomic_write
from training.common.export import embed_spec, quiet, read_spec
from training.common.int8_calibration import Int8CalibrationReader, warnings_held_back

CALIBRATION_BATCH = 16


def to_fp16(source: Path, target: Path) -> Path:
    """Weights and arithmetic in half precision; inputs and outputs stay float32, so serving needs no change."""
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    model = convert_float_to_float16(onnx.load(source), keep_io_types=True, disable_shape_infer=False)
    embed_spec(model, read_spec(source))
    with atomic_write(target) as partial:
        onnx.save(model, partial)
    return target


def to_int8(source: Path, target: Path, rows: NDArray[np.float32], per_tensor: bool = False) -> Path:
    """Static INT8 in QDQ form: symmetric weights, per channel unless ``per_tensor``.

    Activation ranges come from ``rows`` float32 (N, …).
    """
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    spec = read_spec(source)
    with atomic_write(target) as partial, quiet(), warnings_held_back():
        prepared = partial.with_suffix(".prepared.onnx")
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            partial,
            Int8CalibrationReader.of_rows(spec.input.name, rows, CALIBRATION_BATCH),
            quant_format=QuantFormat.QDQ,
            per_channel=not per_tensor,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
        model = onnx.load(partial)
        embed_spec(model, spec)
        onnx.save(model, partial)
    return target
