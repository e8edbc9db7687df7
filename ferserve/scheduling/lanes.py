"""What keeps long work from holding up short work, for nothing can interrupt a turn.

While short work comes in, one thread is left free of long work. If all threads are busy with long work already, such as
when the first short work comes, a spare thread takes up what is short beside theirs; the system divides the processors.
Length is processor time, so that a busy machine makes nothing long.
"""

from __future__ import annotations

import math
from typing import Any

from ferserve.scheduling.turns import Flow

SHORT_S, LONG_S = 0.02, 0.05
"""A flow whose turns lately took up to the first is short, one that had a turn from the second on is long."""
_RECENTLY_NS = 1_000_000_000
"""For as long after short work a thread is kept for more of it: the slowest cameras send a frame per second."""
_STUCK_NS = 5_000_000_000
"""Work that takes longer does not hold back other long work."""
_LONG_RATIO = 2
"""Work is short beside turns that have taken this many times as long already, or did so lately."""
_PROOF_NS = 10_000_000
"""Nothing is shorter: below, waiting costs less than sharing the processors."""


class Lanes:
    """Which work may begin. Not thread-safe: the caller holds a lock."""

    def __init__(self, threads: int) -> None:
        self._most_long = max(threads - 1, 1)
        self._under_way: dict[int, tuple[int, float]] = {}  # begin in ns and expected seconds, by thread
        self._came_ns = -_RECENTLY_NS  # the last short work

    def arrive(self, flow: Flow[Any], now_ns: int) -> None:
        """Note that work of ``flow`` came in."""
        if 0 < flow.longest <= SHORT_S:
            self._came_ns = now_ns

    def has_room(self, now_ns: int) -> bool:
        """Whether more long work may begin."""
        if now_ns - self._came_ns > _RECENTLY_NS:
            return True
        others = sum(expected >= LONG_S and now_ns - began < _STUCK_NS for began, expected in self._under_way.values())
        return others < self._most_long

    def begin(self, thread: int, flow: Flow[Any], now_ns: int) -> None:
        """Note that a ``thread`` other than the spare ones takes up work of ``flow``."""
        self._under_way[thread] = now_ns, flow.longest

    def end(self, thread: int) -> None:
        """Note that its work is done."""
        del self._under_way[thread]

    def until_short_ns(self, flow: Flow[Any], now_ns: int) -> float:
        """How long until work of ``flow`` is short beside all that is under way; infinite if it will not be."""
        if not flow.longest:  # nobody knows what a new stream sends
            return math.inf
        long_ns = _LONG_RATIO * max(int(flow.longest * 1e9), _PROOF_NS)
        unproven = [began for began, expected in self._under_way.values() if expected * 1e9 < long_ns]
        return max(unproven) + long_ns - now_ns if unproven else 0


def is_long(flow: Flow[Any]) -> bool:
    """Whether work of ``flow`` waits for a thread that may be busy for long."""
    return flow.longest >= LONG_S
