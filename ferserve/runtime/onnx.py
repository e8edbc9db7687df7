"""ONNX Runtime, on the CPU, CUDA or TensorRT."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from ferserve.config import Device
from ferserve.errors import ConfigError, ModelSpecError
from ferserve.runtime.base import Tensor, TensorInfo

log = logging.getLogger(__name__)

_PROVIDERS = {"cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}
_MAX_ROWS_ON_CPU = 4
"""A layer's output for more rows fills the cache that all cores share (docs/performance.md, Single crops)."""
_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(uint8)": "uint8",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
}


class OnnxSession:
    """A graph in ONNX Runtime, one thread per call: callers bring the parallelism, one thread per frame.

    Spinning is off: threads that wait for each other by spinning steal the cores of other frames.
    """

    def __init__(self, path: Path, device: Device = "cpu", cache_dir: Path | None = None) -> None:
        """Raises :class:`ModelSpecError` for a file that cannot be loaded, and :class:`ConfigError` if ``device`` was
        chosen by name and does not run the graph.
        """
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        providers = _providers(device, cache_dir)
        try:
            self._session = ort.InferenceSession(str(path), options, providers=providers)
        except Exception as error:  # ONNX Runtime's own classes share no base but Exception
            first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ModelSpecError(f"{path} must be a model that ONNX Runtime can load, got: {first_line}") from None
        _require_device(device, self._session.get_providers())
        self.inputs = tuple(_tensor_info(item) for item in self._session.get_inputs())
        self.outputs = tuple(_tensor_info(item) for item in self._session.get_outputs())
        self._output_names = [output.name for output in self.outputs]
        version = ".".join(ort.__version__.split(".")[:2])
        provider = self._session.get_providers()[0]
        self.runs_on = f"ONNX Runtime {version} {provider}"
        self.max_rows_per_run = _MAX_ROWS_ON_CPU if provider == "CPUExecutionProvider" else 0

    def run(self, feeds: Mapping[str, Tensor]) -> list[Tensor]:
        """See :class:`ferserve.runtime.base.Session`."""
        return [np.asarray(output) for output in self._session.run(self._output_names, feeds)]


def offers_cuda() -> bool:
    """True if this build of ONNX Runtime can use a GPU, which ``auto`` then takes."""
    return _PROVIDERS["cuda"] in ort.get_available_providers()


def _providers(device: Device, cache_dir: Path | None) -> list[str | tuple[str, dict[str, str]]]:
    """Execution providers, the wanted one first; the CPU runs the nodes that the others cannot."""
    offered = ort.get_available_providers()
    if device in _PROVIDERS and _PROVIDERS[device] not in offered:
        _require_device(device, offered)
    wanted: list[str | tuple[str, dict[str, str]]] = []
    if device == "tensorrt":
        folder = cache_dir or Path.home() / ".cache" / "ferserve"
        folder.mkdir(parents=True, exist_ok=True)
        log.warning("TensorRT builds an engine for this model unless %s holds one; this can take minutes", folder)
        cache = {"trt_engine_cache_enable": "1", "trt_engine_cache_path": str(folder), "trt_fp16_enable": "1"}
        wanted.append((_PROVIDERS["tensorrt"], cache))
    if device != "cpu" and offers_cuda():
        wanted.append(_PROVIDERS["cuda"])
    return [*wanted, "CPUExecutionProvider"]


def _require_device(device: Device, got: list[str]) -> None:
    if device in _PROVIDERS and _PROVIDERS[device] not in got:
        raise ConfigError(
            f"engine.device must be one that ONNX Runtime can use here, got {device!r} where it has {', '.join(got)}; "
            "install the onnxruntime build for this GPU and its libraries, or choose auto or cpu"
        )


def _tensor_info(item: Any) -> TensorInfo:
    shape = tuple(size if isinstance(size, int) else None for size in item.shape)
    return TensorInfo(item.name, shape, _DTYPES.get(item.type, item.type))
