"""Running models: inference backends, batching, and the registry of loaded models."""

from __future__ import annotations

from ferserve.runtime.backends import open_session, uses_cpu
from ferserve.runtime.base import Infer, Session, Tensor, TensorInfo

__all__ = ["Infer", "Session", "Tensor", "TensorInfo", "open_session", "uses_cpu"]
