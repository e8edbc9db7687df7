"""ONNX Runtime, on the CPU, CUDA or TensorRT."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnxruntime as ort

from ferserve.config import Device
from ferserve.errors import ModelSpecError
from ferserve.runtime.base import Placement, Tensor, TensorInfo, UnavailableError, trial_feeds
from ferserve.runtime.first_run import free_memory_alone, within
from ferserve.runtime.native_stderr import filtered_stderr
from ferserve.runtime.onnx_placement import measure_placement

log = logging.getLogger(__name__)

_CPU = "CPUExecutionProvider"
_PROVIDERS = {"cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}
_Providers: TypeAlias = list[str | tuple[str, dict[str, str]]]

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
        """Raises :class:`ModelSpecError` for a file that cannot be loaded, and :class:`UnavailableError` if ``device``
        was chosen by name and does not run the graph.
        """
        self._session = _open(path, device, cache_dir)
        self._load_again = partial(_load, path, _providers(device, cache_dir, quiet=True))
        self.inputs = tuple(_tensor_info(item) for item in self._session.get_inputs())
        self.outputs = tuple(_tensor_info(item) for item in self._session.get_outputs())
        self._output_names = [output.name for output in self.outputs]
        version = ".".join(ort.__version__.split(".")[:2])
        provider = self._session.get_providers()[0]
        self.runs_on = f"ONNX Runtime {version} {provider}"
        self._provider = provider
        self.uses_cpu = provider == _CPU
        self.max_rows_per_run = _MAX_ROWS_ON_CPU if self.uses_cpu else 0

    def empty(self, shape: tuple[int, ...], dtype: str) -> Tensor:
        """See :class:`ferserve.runtime.base.Session`."""
        return np.empty(shape, dtype)

    def placement(self) -> Placement:
        """See :class:`ferserve.runtime.base.Session`."""
        return measure_placement(self._load_again, trial_feeds(self.inputs), self._provider)

    def run(self, feeds: Mapping[str, Tensor]) -> list[Tensor]:
        """See :class:`ferserve.runtime.base.Session`."""
        return [np.asarray(output) for output in self._session.run(self._output_names, feeds)]

    def run_first(self, feeds: Mapping[str, Tensor], limit_s: float) -> list[Tensor]:
        """See :class:`ferserve.runtime.base.Session`."""
        options = ort.RunOptions()

        def stop() -> None:
            options.terminate = True

        run = partial(self._session.run, self._output_names, feeds, options)
        answer = within(limit_s, stop, run) if self.uses_cpu else run()  # a GPU's first run may build for minutes
        return [np.asarray(output) for output in answer]


def offers(device: Device) -> bool:
    """True if this build of ONNX Runtime has code for ``device``; whether it loads here, only a session tells."""
    return _PROVIDERS.get(device, _CPU) in ort.get_available_providers()


def _open(path: Path, device: Device, cache_dir: Path | None) -> ort.InferenceSession:
    wanted = _PROVIDERS.get(device, _CPU)
    if wanted == _CPU:
        return _load_on_cpu(path)
    _require_device(device, ort.get_available_providers())
    session, reason = _try(path, device, cache_dir)
    if session is None:
        session = _load_on_cpu(path)  # a file that no provider can load is not the GPU's fault
    _require_device(device, session.get_providers(), reason)
    return session


def _try(path: Path, device: Device, cache_dir: Path | None) -> tuple[ort.InferenceSession | None, str]:
    """A session, possibly without the provider of the GPU, and why. ONNX Runtime's lines about it are for ``-v``."""
    providers = _providers(device, cache_dir)
    session, failure = None, ""
    with filtered_stderr(_is_of_onnxruntime) as lines:
        try:
            session = _load(path, providers)
        except Exception as error:  # ONNX Runtime's own classes share no base but Exception
            failure = _first_line(error)
    noise = [_plain(line) for line in lines if _plain(line)]
    for line in noise:
        log.info("%s", line)
    return session, _missing_library(noise) or failure or "ONNX Runtime did not load it"


def _load_on_cpu(path: Path) -> ort.InferenceSession:
    try:
        with free_memory_alone():  # what never changes in a graph is computed now
            return _load(path, [_CPU])
    except Exception as error:  # ONNX Runtime's own classes share no base but Exception
        raise ModelSpecError(f"{path} must be a model that ONNX Runtime can load, got: {_first_line(error)}") from None


def _load(path: Path, providers: _Providers, options: ort.SessionOptions | None = None) -> ort.InferenceSession:
    options = options or ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.enable_cpu_mem_arena = False  # it would keep what the largest picture ever took, and is no faster
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(str(path), options, providers=providers, enable_fallback=0)  # it would print


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _is_of_onnxruntime(line: str) -> bool:
    """True for its log, and for the end of a colour that it leaves on a line of its own."""
    return "onnxruntime" in line or (line != "" and not _plain(line))


def _plain(line: str) -> str:
    return re.sub(r"\x1b\[[\d;]*m", "", line)


def _missing_library(noise: list[str]) -> str:
    """The library for want of which a provider did not load, as ONNX Runtime's log names it."""
    found = next((re.search(r"with error: (.+)", line) for line in noise if "with error: " in line), None)
    return found[1] if found else ""


def _providers(device: Device, cache_dir: Path | None, quiet: bool = False) -> _Providers:
    """Execution providers, the wanted one first; the CPU runs the nodes that the others cannot."""
    wanted: _Providers = []
    if device == "tensorrt":
        folder = cache_dir or Path.home() / ".cache" / "ferserve"
        folder.mkdir(parents=True, exist_ok=True)
        if not quiet:
            log.warning("TensorRT builds an engine for this model unless %s holds one; this can take minutes", folder)
        cache = {"trt_engine_cache_enable": "1", "trt_engine_cache_path": str(folder), "trt_fp16_enable": "1"}
        wanted.append((_PROVIDERS["tensorrt"], cache))
    if device != "cpu" and offers("cuda"):
        wanted.append(_PROVIDERS["cuda"])
    return [*wanted, _CPU]


def _require_device(device: Device, got: list[str], reason: str = "") -> None:
    if device in _PROVIDERS and _PROVIDERS[device] not in got:
        raise UnavailableError(
            f"engine.device must be one that ONNX Runtime can use here, got {device!r} where it has {', '.join(got)}"
            f"{f' ({reason})' if reason else ''}; "
            "install the onnxruntime build for this GPU and its libraries, or choose auto or cpu",
            reason,
        )


def _tensor_info(item: Any) -> TensorInfo:
    shape = tuple(size if isinstance(size, int) else None for size in item.shape)
    return TensorInfo(item.name, shape, _DTYPES.get(item.type, item.type))
