"""Converts a subject's ONNX or Keras file for each framework and precision."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.common.atomic_write import atomic_write
from training.common.export import quiet
from training.compress.post_training import to_fp16, to_int8
from training.cost.cell import CannotRun, require_package
from training.cost.subjects import Subject


class Artifacts:
    """Makes each file once, in ``folder``. ``rows`` float32 (N, *row_shape) calibrate INT8.

    Files from earlier runs may be of another subject or other rows, so they are replaced.
    """

    def __init__(self, subject: Subject, folder: Path, rows: NDArray[np.float32]) -> None:
        self._subject, self._folder, self._rows = subject, folder, rows
        self._made: set[Path] = set()

    def file(self, framework: str, precision: str) -> Path:
        """The file to run; raises :class:`CannotRun` if the combination does not exist."""
        if framework == "keras":
            return self._keras(precision)
        if framework == "litert":
            return self._litert(precision)
        return self._onnx(precision, framework)

    def _keras(self, precision: str) -> Path:
        if self._subject.keras is None:
            raise CannotRun("there is no Keras file of this model, only ONNX")
        if precision == "int8":
            raise CannotRun("Keras quantizes dense layers only; convolutions would stay float")
        return self._subject.keras

    def _onnx(self, precision: str, framework: str) -> Path:
        if is_quantized(self._subject.onnx):
            if precision != "int8":
                raise CannotRun("the file is INT8 already")
            return self._subject.onnx
        if precision == "fp32" or (precision == "fp16" and framework == "openvino"):
            return self._subject.onnx
        target = self._folder / f"{self._subject.name}.{precision}.onnx"
        if target not in self._made:
            if precision == "fp16":
                to_fp16(self._subject.onnx, target)
            else:
                to_int8(self._subject.onnx, target, self._rows)
            self._made.add(target)
        return target

    def _litert(self, precision: str) -> Path:
        if self._subject.keras is None:
            raise CannotRun("LiteRT files are made from Keras files, and there is only ONNX")
        require_package("ai_edge_litert", "ai-edge-litert")
        target = self._folder / f"{self._subject.name}.{precision}.tflite"
        if target not in self._made:
            try:
                content = self._convert(precision)
            except Exception as error:
                raise CannotRun(f"LiteRT's converter refused it: {str(error).splitlines()[0][:120]}") from error
            with atomic_write(target) as partial:
                partial.write_bytes(content)
            self._made.add(target)
        return target

    def _convert(self, precision: str) -> bytes:
        import tensorflow as tf

        from training.common.checkpoint import load_model
        from training.models.grouped import GroupedConv2D

        assert self._subject.keras is not None
        model = load_model(self._subject.keras)
        with quiet(), warnings.catch_warnings(), GroupedConv2D.exporting():
            warnings.simplefilter("ignore")  # the converter warns of optional features
            converter = tf.lite.TFLiteConverter.from_keras_model(model)
            if precision != "fp32":
                converter.optimizations = [tf.lite.Optimize.DEFAULT]
            if precision == "fp16":
                converter.target_spec.supported_types = [tf.float16]
            if precision == "int8":
                converter.representative_dataset = self._representative
                converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            return bytes(converter.convert())

    def _representative(self) -> Iterator[list[Any]]:
        for row in self._rows:
            yield [row[np.newaxis]]


def is_quantized(path: Path) -> bool:
    """True for an ONNX file that is quantised already."""
    import onnx

    return any(node.op_type == "QuantizeLinear" for node in onnx.load(path).graph.node)
