"""When the detector looks at a frame of a stream, and when following will do.

Bounds come first: never more often than every ``least``-th frame, never later than every ``most``-th or, at low frame
rates, :data:`MAX_GAP_NS`, which also comes before a ``least`` that nobody asked for while there is time. Between them
the load of the machine decides, so that idle cores buy accuracy, and a face that was missed or lost by the follower
brings the next look forward.
"""

from __future__ import annotations

MAX_GAP_NS = 160_000_000
"""Longest time between two looks, whatever the frame rate: a new face has to be reported within 200 ms."""

FULL_LOAD = 0.6
"""From this load on looks are as rare as they may be: threads that work on frames share their cores with those that
carry them, and what is left is for bursts."""


class Cadence:
    """Decides for the frames of one stream, in order."""

    def __init__(self, least: int, most: int, *, firm: bool = True) -> None:
        """``least`` and ``most`` are in frames, 1 <= least <= most; equal bounds give a fixed interval.

        ``firm`` is False where ``least`` may give way to :data:`MAX_GAP_NS`.
        """
        self._least, self._most, self._firm = least, most, firm
        self._since_look = most  # frames since the last look, that one included
        self._looked_ns: int | None = None
        self._unsure = False

    def next_frame(self, now_ns: int, load: float) -> bool:
        """True where the detector should look at this frame. ``load`` is the busy part of the machine, 0 to 1."""
        self._since_look += 1
        if self._looked_ns is None:
            return True
        if now_ns - self._looked_ns >= MAX_GAP_NS:
            hurried = load < FULL_LOAD and not self._firm  # frames that come late for want of time can wait for a look
            if hurried or self._since_look >= self._least:
                return True
        wanted = self._least + round((self._most - self._least) * min(max(load / FULL_LOAD, 0.0), 1.0))
        return self._since_look >= (self._least if self._unsure else wanted)

    def may_look(self) -> bool:
        """True where the bounds allow a look at this frame after all, because following was not sure."""
        return self._since_look >= self._least

    def looked(self, now_ns: int, *, unsure: bool) -> None:
        """The detector has looked at this frame; ``unsure`` where it missed a face that was there before."""
        self._since_look, self._looked_ns, self._unsure = 0, now_ns, unsure
