"""The clock of a recording."""

from __future__ import annotations

from fractions import Fraction

USUAL_FPS = Fraction(25)
"""The frame rate of recordings that tell none."""


class RecordingClock:
    """Time of each frame since the first one. It rises with every frame, even if the container says otherwise."""

    def __init__(self, fps: Fraction | float | None) -> None:
        """``fps``: the step of frames without a time of their own is one over it."""
        self._step_ns = round(10**9 / (fps or USUAL_FPS))
        self._origin_ns: int | None = None
        self._last_ns = -1

    def time_ns(self, at_s: Fraction | None) -> int:
        """The time of the next frame, which the container puts at ``at_s``, or at no time.

        A time that is missing, stands still or goes back counts as one step: raw H.264 has none, and joined recordings
        start again. The first frame is at 1 ns, since 0 means that the time is unknown.
        """
        at_ns = None if at_s is None else round(at_s * 10**9)
        now_ns = -1 if at_ns is None or self._origin_ns is None else at_ns - self._origin_ns
        if now_ns <= self._last_ns:
            now_ns = 0 if self._last_ns < 0 else self._last_ns + self._step_ns
            if at_ns is not None:
                self._origin_ns = at_ns - now_ns
        self._last_ns = now_ns
        return max(now_ns, 1)
