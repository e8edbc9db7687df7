"""OpenVINO, on the processor."""

from __future__ import annotations

import queue
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ferserve.errors import ConfigError, ModelSpecError
from ferserve.processors import usable_processors
from ferserve.runtime.base import Placement, Tensor, TensorInfo, trial_feeds
from ferserve.runtime.first_run import within

_DTYPES = {"f32": "float32", "f16": "float16", "u8": "uint8", "i8": "int8", "i32": "int32", "i64": "int64"}
_SETTINGS = {
    "ENABLE_CPU_PINNING": False,
    "INFERENCE_PRECISION_HINT": "f32",  # it would choose bfloat16, which moves probabilities by a percent
}


class OpenVinoSession:
    """A graph that OpenVINO compiled, with one stream of one thread per processor: callers bring the parallelism."""

    uses_cpu = True
    max_rows_per_run = 0

    def __init__(self, path: Path) -> None:
        """Raises :class:`ConfigError` if OpenVINO is missing, :class:`ModelSpecError` for a file it cannot load."""
        try:
            import openvino
        except ImportError as error:
            missing = "none" if isinstance(error, ModuleNotFoundError) else str(error)
            raise ConfigError(
                f"engine.device 'openvino' needs the Python package openvino, got {missing}; "
                "pip install 'ferserve[openvino]', or choose auto or cpu"
            ) from None
        try:
            streams = {"INFERENCE_NUM_THREADS": usable_processors(), "NUM_STREAMS": usable_processors()}
            self._model = openvino.Core().compile_model(str(path), "CPU", {**_SETTINGS, **streams})
        except RuntimeError as error:
            raise ModelSpecError(f"{path} must be a model that OpenVINO can load, got: {_reason(error)}") from None
        self.inputs = tuple(_tensor_info(port) for port in self._model.inputs)
        self.outputs = tuple(_tensor_info(port) for port in self._model.outputs)
        self.runs_on = f"OpenVINO {'.'.join(openvino.__version__.split('.')[:2])} CPU"
        # Each made and run once now, one after the other: with OpenVINO 2026.4, making a request, or its first run,
        # waits for the runs of other threads without letting go of the GIL, and they wait for the GIL.
        self._idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(usable_processors()):
            request = self._model.create_infer_request()
            self._answer(request, trial_feeds(self.inputs))
            self._idle.put(request)

    def run(self, feeds: Mapping[str, Tensor]) -> list[Tensor]:
        """See :class:`ferserve.runtime.base.Session`."""
        request = self._idle.get()
        try:
            return self._answer(request, feeds)
        finally:
            self._idle.put(request)

    def run_first(self, feeds: Mapping[str, Tensor], limit_s: float) -> list[Tensor]:
        """See :class:`ferserve.runtime.base.Session`."""
        request = self._idle.get()
        try:
            return within(limit_s, request.cancel, partial(self._answer, request, feeds))
        finally:
            self._idle.put(request)

    def empty(self, shape: tuple[int, ...], dtype: str) -> Tensor:
        """See :class:`ferserve.runtime.base.Session`."""
        return np.empty(shape, dtype)

    def placement(self) -> Placement:
        """See :class:`ferserve.runtime.base.Session`."""
        return Placement("CPU", there=len(self._model.get_runtime_model().get_ops()), elsewhere=0)

    def _answer(self, request: Any, feeds: Mapping[str, Tensor]) -> list[Tensor]:
        answer = request.infer(dict(feeds), share_inputs=True)
        return [np.array(answer[port]) for port in self._model.outputs]


def _tensor_info(port: Any) -> TensorInfo:
    kind = port.get_element_type().get_type_name()
    shape = tuple(axis.get_length() if axis.is_static else None for axis in port.get_partial_shape())
    return TensorInfo(port.get_any_name(), shape, _DTYPES.get(kind, kind))


def _reason(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip() and not line.startswith("Exception from")]
    return lines[-1][:300] if lines else type(error).__name__
