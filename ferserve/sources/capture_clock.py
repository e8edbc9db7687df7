"""The clock of a live source."""

from __future__ import annotations

import math
import time
from fractions import Fraction

_WINDOW_S = 2.0


class CaptureClock:
    """When frames were taken, ns since 1970, strictly rising; one clock for all connections of a source.

    A sender's timestamps have the right distances and an unknown origin; arrivals have the right origin and jitter. So
    the origin is the smallest difference of the two within the last few seconds: the frame that had the least delay.
    It follows clocks that drift or jump, and frames that waited in a buffer keep their own, earlier times.
    """

    def __init__(self) -> None:
        self._started_ns, self._started_s = time.time_ns(), time.monotonic()  # a clock that is set never turns it back
        self._last_ns = 0
        self.restart()

    def restart(self) -> None:
        """A new connection begins, with an origin of its own."""
        self._least_s = self._former_s = math.inf
        self._window_end_s = 0.0

    def time_ns(self, at_s: Fraction | float | None) -> int:
        """The time of a frame that arrives now and that its sender puts at ``at_s``, or at no time."""
        now_s = time.monotonic()
        taken_s = now_s if at_s is None else float(at_s) + self._origin_s(float(at_s), now_s)
        at_ns = self._started_ns + round((taken_s - self._started_s) * 1e9)
        self._last_ns = max(at_ns, self._last_ns + 1)
        return self._last_ns

    def _origin_s(self, at_s: float, now_s: float) -> float:
        origin_s = now_s - at_s
        if now_s >= self._window_end_s:
            self._former_s, self._least_s = self._least_s, origin_s
            self._window_end_s = now_s + _WINDOW_S
        self._least_s = min(self._least_s, origin_s)
        return min(self._least_s, self._former_s)
