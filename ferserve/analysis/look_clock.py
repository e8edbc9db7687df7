"""How long a look at a video counts."""

from __future__ import annotations

_SHORT_S = 1.0
_LONGEST_GAP = 3.0


class LookClock:
    """Times of the looks at one source: each counts until the next one.

    A gap, such as a camera that was away, counts for a second at most, or for three times the interval before it if
    that is longer. The last look counts as long as the one before it.
    """

    def __init__(self) -> None:
        self._time_s: float | None = None
        self._interval_s = 0.0

    def advance(self, time_s: float) -> float:
        """Seconds that the look before counts, now that one at ``time_s`` came; 0 if there is none."""
        before, self._time_s = self._time_s, time_s
        if before is None or time_s <= before:
            return 0.0
        gap_s, usual_s = time_s - before, self._interval_s
        self._interval_s = min(gap_s, max(_SHORT_S, _LONGEST_GAP * usual_s)) if usual_s else gap_s
        return self._interval_s

    @property
    def last_s(self) -> float:
        """Seconds that the newest look counts."""
        return self._interval_s
