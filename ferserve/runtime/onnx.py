"""ONNX Runtime on the CPU."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from ferserve.errors import ModelSpecError
from ferserve.runtime.base import Tensor, TensorInfo

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(uint8)": "uint8",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
}


class OnnxSession:
    """A graph in ONNX Runtime, one thread a call: callers bring the parallelism, one thread a frame.

    Spinning is off, because threads that wait for each other by spinning steal the cores of other frames.
    """

    def __init__(self, path: Path) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's own classes share no base but Exception
            first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ModelSpecError(f"{path} must be a model that ONNX Runtime can load, got: {first_line}") from None
        self.inputs = tuple(_tensor_info(item) for item in self._session.get_inputs())
        self.outputs = tuple(_tensor_info(item) for item in self._session.get_outputs())
        version = ".".join(ort.__version__.split(".")[:2])
        self.runs_on = f"ONNX Runtime {version} {self._session.get_providers()[0]}"

    def run(self, feeds: Mapping[str, Tensor]) -> list[Tensor]:
        """See :class:`ferserve.runtime.base.Session`."""
        return [np.asarray(output) for output in self._session.run(None, feeds)]


def _tensor_info(item: Any) -> TensorInfo:
    shape = tuple(size if isinstance(size, int) else None for size in item.shape)
    return TensorInfo(item.name, shape, _DTYPES.get(item.type, item.type))
