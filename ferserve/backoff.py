"""Waits between attempts to come back to a server or a camera."""

from __future__ import annotations

import random
import time

FIRST_DELAY_S = 0.05
LONGEST_DELAY_S = 2.0


class ReconnectBackoff:
    """Begins with the first connection that breaks and ends with the next sign that the other side is well."""

    def __init__(
        self, longest_s: float, first_delay_s: float = FIRST_DELAY_S, longest_delay_s: float = LONGEST_DELAY_S
    ) -> None:
        """``longest_s``: how long the other side may be away, s; the delays double from the first to the longest."""
        self._longest_s = longest_s
        self._first_delay_s = first_delay_s
        self._longest_delay_s = longest_delay_s
        self.end()

    def end(self) -> None:
        """The other side is well."""
        self._since: float | None = None
        self._delay_s = self._first_delay_s

    def next_delay_s(self, least_s: float = 0.0) -> float | None:
        """Seconds to wait after a break, of ``least_s`` at least half; None if the other side is away for too long."""
        now = time.monotonic()
        if self._since is None:
            self._since = now
        delay_s = max(self._delay_s, least_s) * random.uniform(0.5, 1.0)
        self._delay_s = min(2 * self._delay_s, self._longest_delay_s)
        return delay_s if now + delay_s - self._since <= self._longest_s else None
