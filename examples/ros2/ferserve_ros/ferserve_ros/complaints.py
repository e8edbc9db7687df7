"""Log lines about what keeps going wrong: each kind at most once per ten seconds, with the number of the others."""

from __future__ import annotations

import time
from collections.abc import Callable

INTERVAL_S = 10.0


class Complaints:
    """Writes one line per kind of trouble and interval."""

    def __init__(self, write: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._write, self._clock = write, clock
        self._last: dict[str, tuple[float, int]] = {}

    def say(self, kind: str, text: str) -> None:
        """Write ``text``, unless its ``kind`` was written lately."""
        now = self._clock()
        before, silent = self._last.get(kind, (-INTERVAL_S, 0))
        if now - before < INTERVAL_S:
            self._last[kind] = (before, silent + 1)
            return
        self._last[kind] = (now, 0)
        self._write(f"{text} ({silent} more like this)" if silent else text)
