"""What is counted: the interface that the engine and every service call, and the default that counts nothing.

An exporter implements :class:`Metrics`; nothing here knows one.
"""

from __future__ import annotations

from typing import Protocol

from ferserve.types import FrameResult


class Metrics(Protocol):
    """Hears of every outcome, once, from any thread. Methods must be fast and must not raise."""

    def frame_answered(self, result: FrameResult) -> None:
        """A frame got its answer: faces, a fault, or a drop with its reason."""

    def call_refused(self, kind: str) -> None:
        """A unary call or a stream ended with an error of that ``kind`` (:mod:`ferserve.errors`)."""

    def stream_opened(self, *, resumed: bool) -> None:
        """A stream was opened, or taken up again after its connection broke."""

    def stream_closed(self) -> None:
        """An open stream ended, whatever ended it."""


class NoMetrics:
    """Counts nothing."""

    def frame_answered(self, result: FrameResult) -> None:
        """See :class:`Metrics`."""

    def call_refused(self, kind: str) -> None:
        """See :class:`Metrics`."""

    def stream_opened(self, *, resumed: bool) -> None:
        """See :class:`Metrics`."""

    def stream_closed(self) -> None:
        """See :class:`Metrics`."""


NO_METRICS = NoMetrics()
