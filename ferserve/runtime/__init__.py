"""Inference backends: one file each, and the choice between them."""

from __future__ import annotations

from pathlib import Path

from ferserve.runtime.base import Session, Tensor, TensorInfo

__all__ = ["Session", "Tensor", "TensorInfo", "open_session"]


def open_session(path: Path) -> Session:
    """Load the graph at ``path``; raises :class:`ferserve.errors.ModelSpecError` where it cannot be loaded."""
    from ferserve.runtime.onnx import OnnxSession  # ONNX Runtime is loaded only by those who run a model

    return OnnxSession(path)
