"""Static INT8 of an exported model: QDQ nodes, weights per channel, ranges from training images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.common.atomic_write import atomic_write
from training.common.export import embed_spec, read_spec
from training.common.int8_calibration import Int8CalibrationReader, warnings_held_back
from training.emotion_lite.onnx_graph import served_input

QUANTISED = ("Conv", "Relu", "Add")
"""The heads stay in float: they are a thousandth of the work, and their rounding would cost calibration."""


def quantize_classifier(
    source: Path, target: Path, images: NDArray[np.uint8], metrics: dict[str, float] | None = None
) -> None:
    """Write ``target``, the INT8 form of ``source``, with ranges measured on ``images`` (N, 48, 48) training luma.

    Unsigned activations and signed weights: what VNNI multiplies in one instruction. Symmetric weights per output
    channel and affine activations follow Jacob et al. 2018, arXiv:1712.05877, section 2.
    """
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    spec = read_spec(source)
    name = f"{spec.name}-int8"
    rows = served_input(images, spec)
    with atomic_write(target) as partial, warnings_held_back():
        prepared = partial.with_suffix(".prepared.onnx")
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared, partial, Int8CalibrationReader.of_rows(spec.input.name, rows),
            quant_format=QuantFormat.QDQ, per_channel=True, activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8, op_types_to_quantize=list(QUANTISED),
            calibrate_method=CalibrationMethod.MinMax,
        )  # fmt: skip
        model = onnx.load(partial)
        embed_spec(model, replace(spec, name=name, metrics=metrics or {}))
        onnx.save(model, partial)
