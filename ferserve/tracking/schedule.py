"""Decides which frames of a stream get a detection pass; in between, faces are followed by their templates.

The bounds are hard: at most one pass per ``min_interval`` frames, at least one per ``max_interval`` frames. Between
them the load of the machine decides, so that idle cores buy accuracy. A missed face and a lost template bring the next
pass forward. At low frame rates :data:`MAX_GAP_NS` applies as well; it overrides a minimum that no client asked for
if the machine has time.
"""

from __future__ import annotations

MAX_GAP_NS = 160_000_000
"""Longest time between two detection passes at any frame rate: a new face must be reported within 200 ms."""

FULL_LOAD = 0.6
"""From this load on, passes are as rare as the bounds allow. The rest of the machine moves frames and absorbs bursts.
"""


class DetectionSchedule:
    """The detection passes of one stream. Call :meth:`next_frame` once per frame, in order."""

    def __init__(
        self, min_interval: int, max_interval: int, *, strict_minimum: bool = True, repeatable: bool = False
    ) -> None:
        """Intervals are in frames, 1 <= min_interval <= max_interval; equal bounds give a fixed interval.

        Without ``strict_minimum``, :data:`MAX_GAP_NS` may override ``min_interval``. A ``repeatable`` schedule
        ignores the load, so that every run over a recording looks at the same frames.
        """
        self._repeatable = repeatable
        self._min_interval, self._max_interval, self._strict_minimum = min_interval, max_interval, strict_minimum
        self._frames_since_pass = max_interval
        self._last_pass_ns: int | None = None
        self._unsure = False

    def next_frame(self, now_ns: int, load: float) -> bool:
        """Whether this frame gets a detection pass. ``load`` is the busy share of the machine, 0 to 1."""
        self._frames_since_pass += 1
        if self._last_pass_ns is None:
            return True
        if now_ns - self._last_pass_ns >= MAX_GAP_NS:
            # On a busy machine frames are late because it is busy: an early pass would make them later.
            has_time = self._repeatable or load < FULL_LOAD
            override = has_time and not self._strict_minimum
            if override or self.may_detect():
                return True
        if self._unsure:
            return self.may_detect()
        share = 1.0 if self._repeatable else min(max(load / FULL_LOAD, 0.0), 1.0)
        return self._frames_since_pass >= self._min_interval + round((self._max_interval - self._min_interval) * share)

    def may_detect(self, *, cut: bool = False) -> bool:
        """Whether the bounds allow an unscheduled pass on this frame, such as after a lost template.

        After a ``cut`` nothing is known of the faces: a pass may come at once unless the client set the minimum.
        """
        return self._frames_since_pass >= self._min_interval or (cut and not self._strict_minimum)

    def record_pass(self, now_ns: int, *, unsure: bool) -> None:
        """Note that this frame got a detection pass; ``unsure`` if the pass missed a known face or found a doubtful
        one."""
        self._frames_since_pass, self._last_pass_ns, self._unsure = 0, now_ns, unsure
