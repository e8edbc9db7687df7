"""The interface of every inference backend."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Tensor: TypeAlias = NDArray[np.generic]
Infer: TypeAlias = Callable[[Tensor], list[NDArray[np.float32]]]
"""A batch (N, *row_shape) to the probabilities (N, K) of each head."""


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
        """The runtime and provider that really run the graph, such as ``ONNX Runtime 1.31 CPUExecutionProvider``."""

    @property
    def max_rows_per_run(self) -> int:
        """Longer batches run faster in parts of this many rows; 0 if they do not."""

    def run(self, feeds: Mapping[str, Tensor]) -> list[Tensor]:
        """All outputs, in the order of :attr:`outputs`."""

    def run_first(self, feeds: Mapping[str, Tensor], limit_s: float) -> list[Tensor]:
        """:meth:`run` for a graph that may be endless or too large; raises :class:`ModelSpecError` if it is."""
