"""What a network builder is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class ModelRequest:
    """Input, heads and initial weights of a network."""

    shape: tuple[int, int, int]
    """(height, width, channels) of the input."""
    heads: Mapping[str, int]
    """Classes by head, in the order of the heads."""
    weights: str
    """``imagenet``, ``none``, or the path of a weight file."""
    init: str = "glorot_uniform"
    """Keras's name of the initializer of hidden kernels, for the networks that are built here from nothing."""
