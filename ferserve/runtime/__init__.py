"""Inference backends: one file each, and the choice between them."""

from __future__ import annotations

import os
from pathlib import Path

from ferserve.config import Device
from ferserve.runtime.base import Session, Tensor, TensorInfo

__all__ = ["Session", "Tensor", "TensorInfo", "open_session", "uses_cpu"]


def open_session(path: Path, device: Device = "cpu", cache_dir: Path | None = None) -> Session:
    """Load the graph at ``path``.

    Raises :class:`ferserve.errors.ModelSpecError` where it cannot be loaded, and
    :class:`ferserve.errors.ConfigError` where ``device`` was asked for by name and cannot be had.
    """
    _prepare()
    from ferserve.runtime.onnx import OnnxSession  # ONNX Runtime is loaded only by those who run a model

    return OnnxSession(path, device, cache_dir)


def uses_cpu(device: Device) -> bool:
    """True where the CPU runs the graphs of a session on ``device``."""
    if device != "auto":
        return device == "cpu"
    _prepare()
    from ferserve.runtime.onnx import offers_cuda

    return not offers_cuda()


def _prepare() -> None:
    # ONNX Runtime 1.31 keeps a database of usage events in the home directory unless it is told not to.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
