"""A session together with the spec that gives its numbers a meaning."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ferserve.errors import ModelSpecError
from ferserve.models.spec import HeadSpec, ModelSpec
from ferserve.runtime.base import Session, Tensor, TensorInfo
from ferserve.runtime.run_counts import RunCounts


class Classifier:
    """Batches of preprocessed faces in, probabilities for every head out."""

    def __init__(self, session: Session, spec: ModelSpec) -> None:
        """Raises :class:`ModelSpecError` if the spec does not fit the graph."""
        self.spec = spec
        self.session = session
        self.runs = RunCounts()
        """Every run of the graph, for whichever door."""
        self._input = _require_input(session, spec)
        self._fixed_rows = session.inputs[0].shape[0] or 0
        """Rows of every run, if the graph takes no other number."""
        outputs = {output.name: (i, output) for i, output in enumerate(session.outputs)}
        self._rows = [(head, _require_output(outputs, head)) for head in spec.heads]
        self.on_run: Callable[[int], None] = _unheard
        """Called with the rows of each run."""

    def empty_batch(self, size: int) -> Tensor:
        """An uninitialised batch (size, *row_shape) of the model's dtype, for the preprocessing to fill."""
        return self.session.empty((size, *self.spec.input.row_shape), self.spec.input.dtype)

    @property
    def max_rows_per_run(self) -> int:
        """Longer batches run in parts of this many rows; 0 if they need not."""
        return self._fixed_rows or self.session.max_rows_per_run

    def require_answer(self, limit_s: float) -> None:
        """Run the model once, on a blank row; raises :class:`ModelSpecError` if it does not end within ``limit_s``."""
        rows = np.zeros_like(self.empty_batch(self._fixed_rows or 1))
        outputs = self.session.run_first({self._input: rows}, limit_s)
        for head, index in self._rows:
            columns = _probabilities(outputs[index], head).shape[1]
            if columns != len(head.labels):  # a graph need not say how many it has
                raise ModelSpecError(
                    f"heads[{head.name}].labels must be as many as the graph's output has columns, {columns}, "
                    f"got {len(head.labels)}"
                )

    def infer(self, batch: Tensor) -> list[NDArray[np.float32]]:
        """Probabilities (N, K) of every head, in the order of ``spec.heads``, for a batch (N, *row_shape)."""
        limit = self.max_rows_per_run
        if not self._fixed_rows and (not limit or len(batch) <= limit):
            return self._run(batch)
        parts = [self._run(batch[start : start + limit]) for start in range(0, len(batch), limit)]
        if not parts:
            return [np.empty((0, len(head.labels)), np.float32) for head in self.spec.heads]
        return [np.concatenate(of_head) for of_head in zip(*parts, strict=True)]

    def _run(self, batch: Tensor) -> list[NDArray[np.float32]]:
        began_ns = time.monotonic_ns()
        outputs = self._run_padded(batch) if self._fixed_rows else self.session.run({self._input: batch})
        probabilities = [_probabilities(outputs[index], head) for head, index in self._rows]
        self.on_run(len(batch))
        self.runs.add(len(batch), time.monotonic_ns() - began_ns)
        return probabilities

    def _run_padded(self, batch: Tensor) -> list[Tensor]:
        """One run of a graph that takes no fewer rows."""
        blank = np.zeros_like(self.empty_batch(self._fixed_rows - len(batch)))
        return [output[: len(batch)] for output in self.session.run({self._input: np.concatenate([batch, blank])})]


def _unheard(rows: int) -> None:
    """Nobody counts runs yet."""


def _require_input(session: Session, spec: ModelSpec) -> str:
    wanted = spec.input
    names = [item.name for item in session.inputs]
    if names != [wanted.name]:
        raise ModelSpecError(f"{spec.name}: input.name must be the graph's only input {names}, got {wanted.name!r}")
    graph = session.inputs[0]
    if not _fits(graph.shape[1:], wanted.row_shape) or len(graph.shape) != 4:
        raise ModelSpecError(
            f"{spec.name}: input must have the graph's shape {graph.shape}, got rows of {wanted.row_shape} "
            f"({wanted.layout}, {wanted.color})"
        )
    if graph.dtype != wanted.dtype:
        raise ModelSpecError(f"{spec.name}: input.dtype must be the graph's {graph.dtype}, got {wanted.dtype}")
    return wanted.name


def _require_output(outputs: dict[str, tuple[int, TensorInfo]], head: HeadSpec) -> int:
    if head.output not in outputs:
        raise ModelSpecError(f"heads[{head.name}].output must be one of {sorted(outputs)}, got {head.output!r}")
    index, graph = outputs[head.output]
    columns = graph.shape[1] if len(graph.shape) > 1 else 0
    fits = columns is None or (head.columns[1] <= columns if head.columns else len(head.labels) == columns)
    if not fits or any(size not in (None, 1) for size in graph.shape[2:]):
        raise ModelSpecError(
            f"heads[{head.name}].labels must be as many as the graph's output {graph.shape} has columns, "
            f"got {len(head.labels)}{f' in columns {list(head.columns)}' if head.columns else ''}"
        )
    return index


def _fits(graph: Sequence[int | None], wanted: Sequence[int]) -> bool:
    return len(graph) == len(wanted) and all(g is None or g == w for g, w in zip(graph, wanted, strict=True))


def _probabilities(output: Tensor, head: HeadSpec) -> NDArray[np.float32]:
    values = np.asarray(output, np.float32)
    if values.ndim != 2:
        values = values.reshape(len(values), -1)
    if head.columns:
        values = values[:, head.columns[0] : head.columns[1]]
    if head.outputs != "logits":
        return values
    scaled = values / np.float32(head.temperature)
    exponents = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(exponents / exponents.sum(axis=1, keepdims=True), np.float32)
