"""The time that a call may take."""

from __future__ import annotations

import math
import time


class Deadline:
    """The end of a call that may take ``timeout_s`` from now on, ``math.inf`` for no limit."""

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self._ends_at_s = time.monotonic() + timeout_s

    def left_s(self) -> float | None:
        """What is left, s, at least 0; None without a limit."""
        return None if self.timeout_s == math.inf else max(self._ends_at_s - time.monotonic(), 0.0)
