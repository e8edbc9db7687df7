"""The interface of every inference backend."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ferserve.errors import ConfigError

Tensor: TypeAlias = NDArray[np.generic]
Infer: TypeAlias = Callable[[Tensor], list[NDArray[np.float32]]]
"""A batch (N, *row_shape) to the probabilities (N, K) of each head."""


class UnavailableError(ConfigError):
    """A device was chosen that cannot be used here."""

    def __init__(self, message: str, reason: str) -> None:
        """``reason`` is the part of ``message`` that says why."""
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """Name, shape (None for a free axis) and NumPy dtype name of a graph's input or output."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the nodes of a graph ran."""

    device: str
    """What was asked for, such as ``CUDAExecutionProvider``."""
    there: int
    elsewhere: int
    """Nodes that the processor ran instead."""

    def __str__(self) -> str:
        return f"{self.there} of {self.there + self.elsewhere} nodes on {self.device}"


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
    def uses_cpu(self) -> bool:
        """True if the processor runs the graph."""

    @property
    def max_rows_per_run(self) -> int:
        """Longer batches run faster in parts of this many rows; 0 if they do not."""

    def empty(self, shape: tuple[int, ...], dtype: str) -> Tensor:
        """An uninitialised array for a batch, in memory that the device reads fastest."""

    def placement(self) -> Placement:
        """Where the nodes run, found by running one row; takes up to a second."""

    def run(self, feeds: Mapping[str, Tensor]) -> list[Tensor]:
        """All outputs, in the order of :attr:`outputs`."""

    def run_first(self, feeds: Mapping[str, Tensor], limit_s: float) -> list[Tensor]:
        """:meth:`run` for a graph that may be endless or too large; raises :class:`ModelSpecError` if it is."""


def trial_feeds(inputs: tuple[TensorInfo, ...], side: int = 32) -> dict[str, Tensor]:
    """One row of a fixed pattern for each input; free axes but the first have ``side`` elements."""
    feeds: dict[str, Tensor] = {}
    for info in inputs:
        shape = tuple(size or (1 if axis == 0 else side) for axis, size in enumerate(info.shape))
        ramp = np.arange(int(np.prod(shape)), dtype=np.int64) * 37 % 255
        values = ramp if np.issubdtype(info.dtype, np.integer) else ramp / 127.5 - 1
        feeds[info.name] = values.reshape(shape).astype(info.dtype)
    return feeds
