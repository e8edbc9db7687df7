"""The time that a stream is without its server."""

from __future__ import annotations

import random
import time

FIRST_DELAY_S = 0.05
LONGEST_DELAY_S = 2.0


class ReconnectBackoff:
    """Begins with the first connection that breaks and ends with the next sign that the server is well."""

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._since: float | None = None
        self._delay_s = FIRST_DELAY_S

    def end(self) -> None:
        """The server is well."""
        self._since = None
        self._delay_s = FIRST_DELAY_S

    def next_delay_s(self) -> float | None:
        """Seconds to wait after a connection broke; None if the server has been away for too long."""
        now = time.monotonic()
        if self._since is None:
            self._since = now
        delay_s = self._delay_s * random.uniform(0.5, 1.0)
        self._delay_s = min(2 * self._delay_s, LONGEST_DELAY_S)
        return delay_s if now + delay_s - self._since <= self._longest_s else None
