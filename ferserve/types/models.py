"""Descriptions of models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ferserve.types.value import Value, to_plain


@dataclass(frozen=True, eq=False)
class ModelDescription(Value):
    """A model as its users see it."""

    name: str
    version: str
    description: str
    heads: Mapping[str, tuple[str, ...]]
    """Ordered labels by the name of the head, the emotion first."""
    input_width: int
    """px"""
    input_height: int
    """px"""
    input_color: str
    """``luma``, ``bgr`` or ``rgb``."""
    license: str
    trained_on: tuple[str, ...]
    metrics: Mapping[str, float]
    """Value by ``<dataset>/<split>/<metric>``."""
    runs_on: str
    """What runs the model, such as ``CPUExecutionProvider``; empty if it is not loaded."""
    is_default: bool
    sha256: str
    """Digest of the weight file, lower-case hex."""

    def to_dict(self) -> dict[str, Any]:
        """All fields in the types of JSON."""
        plain: dict[str, Any] = to_plain(self)
        return plain
