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


def _no_cuda() -> bool:
    _silence_telemetry()
    from ferserve.runtime.onnx import offers_cuda

    return not offers_cuda()


@dataclass(frozen=True)
class Backend:
    """How graphs are run on one device."""

    open: Opener
    uses_cpu: Callable[[], bool]
    """True if the processor runs them, so that the INT8 form of a model may pay."""


BACKENDS: Mapping[Device, Backend] = {
    "auto": Backend(_open_onnx, _no_cuda),
    "cpu": Backend(_open_onnx, lambda: True),
    "cuda": Backend(_open_onnx, lambda: False),
    "tensorrt": Backend(_open_onnx, lambda: False),
}
"""By device. Openers import their backend when called, not before."""


def open_session(path: Path, device: Device = "cpu", cache_dir: Path | None = None) -> Session:
    """Load the graph at ``path``.

    Raises :class:`ferserve.errors.ModelSpecError` if it cannot be loaded, and :class:`ferserve.errors.ConfigError` if
    ``device`` was chosen by name and is not available.
    """
    return BACKENDS[device].open(path, device, cache_dir)


def uses_cpu(device: Device) -> bool:
    """True if the CPU runs the graphs of a session on ``device``."""
    return BACKENDS[device].uses_cpu()


def _silence_telemetry() -> None:
    # ONNX Runtime 1.31 keeps a database of usage events in the home directory unless told not to.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
