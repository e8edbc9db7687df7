"""Descriptions of models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ferserve.types.value import Value, to_plain


class ModelState(Enum):
    """Whether a version of a model answers."""

    READY = "ready"
    """It answers; one that nobody has asked for yet may be loaded by its first call."""
    LOADING = "loading"
    """It is being loaded for the first time."""
    UNAVAILABLE = "unavailable"
    """It was unloaded, or its file cannot be served."""


@dataclass(frozen=True, eq=False, repr=False)
class ModelDescription(Value):
    """A version of a model as its users see it. One whose file cannot be read has no heads."""

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
    """Whether it answers callers that name no model."""
    sha256: str
    """Digest of the weight file, lower-case hex; empty if it cannot be read."""
    state: ModelState = ModelState.READY
    reason: str = ""
    """Why it is in another state than ``READY``, or why a change of its file was not taken."""
    aliases: tuple[str, ...] = ()
    """Names of this version besides its own, such as ``latest``: ``NAME@latest`` asks for it."""

    def to_dict(self) -> dict[str, Any]:
        """All fields in the types of JSON."""
        plain: dict[str, Any] = to_plain(self)
        return plain

    def __repr__(self) -> str:
        state = "" if self.state is ModelState.READY else f" {self.state.value}"
        return f"ModelDescription({self.name}@{self.version}{state}: {', '.join(self.heads)})"
