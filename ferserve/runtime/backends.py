"""The table of inference backends. A new one is a file beside this one, and a row here for its device."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from ferserve.config import Device
from ferserve.runtime.base import Session

Opener: TypeAlias = Callable[[Path, Device, "Path | None"], Session]
"""Loads the graph at a path for a device; the last argument is the folder for what the backend compiles."""


def _open_onnx(path: Path, device: Device, cache_dir: Path | None) -> Session:
    _silence_telemetry()
    from ferserve.runtime.onnx import OnnxSession  # only programs that run a model load ONNX Runtime

    return OnnxSession(path, device, cache_dir)


def _auto_uses_cpu(graph: Path) -> bool:
    _silence_telemetry()
    from ferserve.runtime.onnx import OnnxSession, offers_cuda

    return not offers_cuda() or OnnxSession(graph, "auto").uses_cpu


@dataclass(frozen=True)
class Backend:
    """How graphs are run on one device."""

    open: Opener
    uses_cpu: Callable[[Path], bool]
    """True if the processor runs the graph at a path, so that its INT8 form may pay."""


BACKENDS: Mapping[Device, Backend] = {
    "auto": Backend(_open_onnx, _auto_uses_cpu),
    "cpu": Backend(_open_onnx, lambda graph: True),
    "cuda": Backend(_open_onnx, lambda graph: False),
    "tensorrt": Backend(_open_onnx, lambda graph: False),
}
"""By device. Openers import their backend when called, not before."""


def open_session(path: Path, device: Device = "cpu", cache_dir: Path | None = None) -> Session:
    """Load the graph at ``path``.

    Raises :class:`ferserve.errors.ModelSpecError` if it cannot be loaded, and :class:`ferserve.errors.ConfigError` if
    ``device`` was chosen by name and is not available.
    """
    return BACKENDS[device].open(path, device, cache_dir)


def uses_cpu(device: Device, graph: Path) -> bool:
    """True if the CPU runs the graph at a path on ``device``.

    For ``auto`` a session tells: a build of ONNX Runtime that offers a GPU may find none. Raises as
    :func:`open_session` does.
    """
    return BACKENDS[device].uses_cpu(graph)


def _silence_telemetry() -> None:
    # ONNX Runtime 1.31 keeps a database of usage events in the home directory unless told not to.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
