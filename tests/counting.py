"""Metrics that keep what they count, for tests."""

from __future__ import annotations

import threading

from ferserve.types import FrameResult


class Counting:
    """An implementation of :class:`ferserve.metrics.Metrics` that records every call."""

    def __init__(self) -> None:
        self.results: list[FrameResult] = []
        self.cancelled = self.degraded = 0
        self.refused: list[str] = []
        self.opened: list[bool] = []
        """Whether each opened stream was resumed."""
        self.closed = 0
        self.tokens: list[str] = []
        """What became of resume tokens."""
        self.limits: list[str] = []
        """The settings whose limits refused calls."""
        self.lags_s: list[float] = []
        self.loaded: list[tuple[str, str, str, str]] = []
        """Name, version, what runs it, and the digest of each model."""
        self.runs: list[tuple[str, str, int]] = []
        """Name and version of the model, and the rows of each run."""
        self.stalled: list[bool] = []
        self._lock = threading.Lock()

    def frame_answered(self, result: FrameResult) -> None:
        """See :class:`ferserve.metrics.Metrics`."""
        with self._lock:
            self.results.append(result)

    def frame_degraded(self) -> None:
        """See :class:`ferserve.metrics.Metrics`."""
        with self._lock:
            self.degraded += 1

    def frame_cancelled(self) -> None:
        """See :class:`ferserve.metrics.Metrics`."""
        with self._lock:
            self.cancelled += 1

    def call_refused(self, kind: str) -> None:
        """See :class:`ferserve.metrics.Metrics`."""
        with self._lock:
            self.refused.append(kind)

    def limit_reached(self, limit: str) -> None:
        """See :class:`ferserve.metrics.Metrics`."""
        with self._lock:
            self.limits.append(limit)

    def model_loaded(self, model: str, version: str, *, runs_on: str, sha256: str) -> None:
        """See :class:`ferserve.metrics.Metrics`."""
        with self._lock:
            self.loaded.append((model, version, runs_on, sha256))

    def model_ran(self, model: str, version: str, rows: int) -> None:
        """See :class:`ferserve.metrics.Metrics`."""
        with self._lock:
            self.runs.append((model, version, rows))

    def stream_opened(self, *, resumed: bool) -> None:
        """See :class:`ferserve.metrics.Metrics`."""
        with self._lock:
            self.opened.append(resumed)

    def resume_token(self, outcome: str) -> None:
        """See :class:`ferserve.metrics.Metrics`."""
        with self._lock:
            self.tokens.append(outcome)

    def stream_closed(self) -> None:
        """See :class:`ferserve.metrics.Metrics`."""
        with self._lock:
            self.closed += 1

    def workers_stalled(self, stalled: bool) -> None:
        """See :class:`ferserve.metrics.Metrics`."""
        with self._lock:
            self.stalled.append(stalled)

    def loop_lagged(self, lag_s: float) -> None:
        """See :class:`ferserve.metrics.Metrics`."""
        with self._lock:
            self.lags_s.append(lag_s)
