"""What a server says of a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class ModelDescription:
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
    """Figure by ``<dataset>/<split>/<metric>``."""
    runs_on: str
    is_default: bool
    sha256: str
    """Of the weight file, lower-case hex."""
