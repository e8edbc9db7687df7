"""What every inference backend offers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Tensor = NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """Name, shape (None for a free axis) and NumPy dtype name of a graph's input or output."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str


class Session(Protocol):
    """A loaded graph. ``run`` may be called from several threads at once and releases the GIL."""

    @property
    def inputs(self) -> tuple[TensorInfo, ...]:
        """The graph's inputs."""

    @property
    def outputs(self) -> tuple[TensorInfo, ...]:
        """The graph's outputs."""

    @property
    def runs_on(self) -> str:
        """What really runs the graph, such as ``ONNX Runtime 1.31 CPUExecutionProvider``."""

    @property
    def most_rows(self) -> int:
        """Longer batches had better be run in parts of so many rows; 0 for whole."""

    def run(self, feeds: Mapping[str, Tensor]) -> list[Tensor]:
        """All outputs, in the order of :attr:`outputs`."""
