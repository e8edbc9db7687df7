"""The table of inference backends. A new one is a file beside this one, and a row here for its device."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TypeAlias

from ferserve.config import Device
from ferserve.runtime.auto import Candidate, any_offered, open_auto
from ferserve.runtime.base import Session
from ferserve.runtime.reopening import ReopeningSession

Opener: TypeAlias = Callable[[Path, Device, "Path | None"], Session]
"""Loads the graph at a path for a device; the last argument is the folder for what the backend compiles."""


def _open_onnx(path: Path, device: Device, cache_dir: Path | None) -> Session:
    _silence_telemetry()
    from ferserve.runtime.onnx import OnnxSession  # only programs that run a model load ONNX Runtime

    return OnnxSession(path, device, cache_dir)


def _open_cpu(path: Path) -> Session:
    return _open_onnx(path, "cpu", None)


def _open_openvino(path: Path, device: Device, cache_dir: Path | None) -> Session:
    from ferserve.runtime.openvino import OpenVinoSession

    return OpenVinoSession(path)


def _open_tensorrt(path: Path, device: Device, cache_dir: Path | None) -> Session:
    from ferserve.runtime.tensorrt.session import TensorRtSession

    return TensorRtSession(path, cache_dir)


def _open_auto(path: Path, device: Device, cache_dir: Path | None) -> Session:
    return open_auto(path, _open_cpu, _gpus(cache_dir), _PROCESSORS)


def _auto_uses_cpu(graph: Path, cache_dir: Path | None) -> bool:
    gpus = _gpus(cache_dir)
    return not any_offered(gpus) or open_auto(graph, _open_cpu, gpus, ()).uses_cpu


def _gpus(cache_dir: Path | None) -> tuple[Candidate, ...]:
    """What ``auto`` tries before the processor, in this order."""
    return (
        Candidate("CUDAExecutionProvider", _offers_cuda, partial(_open_onnx, device="cuda", cache_dir=cache_dir)),
        Candidate(
            "TensorRT", partial(_installed, "tensorrt"),
            partial(_open_tensorrt, device="tensorrt-native", cache_dir=cache_dir),
        ),
    )  # fmt: skip


def _offers_cuda() -> bool:
    _silence_telemetry()
    from ferserve.runtime.onnx import offers

    return offers("cuda")


def _installed(package: str) -> bool:
    return find_spec(package) is not None


_PROCESSORS = (
    Candidate("OpenVINO", partial(_installed, "openvino"), partial(_open_openvino, device="openvino", cache_dir=None)),
)
"""What ``auto`` measures beside ONNX Runtime on the processor."""


def _always(graph: Path, cache_dir: Path | None) -> bool:
    return True


def _never(graph: Path, cache_dir: Path | None) -> bool:
    return False


@dataclass(frozen=True)
class Backend:
    """How graphs are run on one device."""

    open: Opener
    uses_cpu: Callable[[Path, Path | None], bool]
    """True if the processor runs the graph at a path, so that its INT8 form may pay; the second is the folder again."""


BACKENDS: Mapping[Device, Backend] = {
    "auto": Backend(_open_auto, _auto_uses_cpu),
    "cpu": Backend(_open_onnx, _always),
    "openvino": Backend(_open_openvino, _always),
    "cuda": Backend(_open_onnx, _never),
    "tensorrt": Backend(_open_onnx, _never),
    "tensorrt-native": Backend(_open_tensorrt, _never),
}
"""By device. Openers import their backend when called, not before."""


def open_session(path: Path, device: Device = "cpu", cache_dir: Path | None = None) -> Session:
    """Load the graph at ``path``.

    Raises :class:`ferserve.errors.ModelSpecError` if it cannot be loaded, and :class:`ferserve.errors.ConfigError` if
    ``device`` was chosen by name and is not available. A GPU that fails later is opened again once, see
    :class:`ferserve.runtime.reopening.ReopeningSession`.
    """
    opened = partial(BACKENDS[device].open, path, device, cache_dir)
    session = opened()
    return session if session.uses_cpu else ReopeningSession(session, opened)


def uses_cpu(device: Device, graph: Path, cache_dir: Path | None = None) -> bool:
    """True if the CPU runs the graph at a path on ``device``.

    For ``auto`` a session tells: a build of ONNX Runtime that offers a GPU may find none. Raises as
    :func:`open_session` does.
    """
    return BACKENDS[device].uses_cpu(graph, cache_dir)


def _silence_telemetry() -> None:
    # ONNX Runtime 1.31 keeps a database of usage events in the home directory unless told not to.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
