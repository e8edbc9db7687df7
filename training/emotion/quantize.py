"""Static INT8 of an exported model: QDQ nodes, weights per channel, ranges from training images."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.emotion.onnx_graph import served_input
from training.export import embed_spec, read_spec

QUANTISED = ("Conv", "Relu", "Add")
"""The heads stay in float: they are a thousandth of the work, and their rounding would cost calibration."""


def quantize(source: Path, target: Path, images: NDArray[np.uint8], metrics: dict[str, float] | None = None) -> None:
    """Write ``target``, the INT8 form of ``source``, with ranges seen on ``images`` (N, 48, 48) training luma.

    Unsigned activations and signed weights: what VNNI multiplies in one instruction. Symmetric weights per output
    channel and affine activations follow Jacob et al. 2018, arXiv:1712.05877, section 2.
    """
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    spec = read_spec(source)
    name = f"{spec.name}-int8"
    rows = served_input(images, spec)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder, _silent():
        prepared, draft = Path(folder) / "prepared.onnx", Path(folder) / "draft.onnx"
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared, draft, _Calibration(spec.input.name, rows), quant_format=QuantFormat.QDQ, per_channel=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, op_types_to_quantize=list(QUANTISED),
            calibrate_method=CalibrationMethod.MinMax,
        )  # fmt: skip
        model = onnx.load(draft)
        embed_spec(model, replace(spec, name=name, metrics=metrics or {}))
        onnx.save(model, draft)
        os.replace(draft, target)


class _Calibration:
    """ONNX Runtime's reader: one batch after another, then None."""

    def __init__(self, name: str, rows: NDArray[np.float32], batch_size: int = 64) -> None:
        self._feeds: Iterator[dict[str, Any]] = (
            {name: rows[start : start + batch_size]} for start in range(0, len(rows), batch_size)
        )

    def get_next(self) -> dict[str, Any] | None:
        return next(self._feeds, None)


class _silent:
    """Holds back the root logger's warnings: the preparation that they recommend has been done."""

    def __enter__(self) -> None:
        self._level = logging.getLogger().level
        logging.getLogger().setLevel(logging.ERROR)

    def __exit__(self, *_: object) -> None:
        logging.getLogger().setLevel(self._level)
