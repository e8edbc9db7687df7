"""What a stream remembers from frame to frame."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from numpy import int64
from numpy.typing import NDArray

from ferserve.tracking.neutral import NeutralCalibration
from ferserve.tracking.schedule import Cadence
from ferserve.tracking.smoothing import Smoother
from ferserve.tracking.template import Sampler
from ferserve.tracking.tracker import Tracker
from ferserve.types import HeadResult

_LEAP_NS = 5_000_000_000
_LEAST_STEP_NS = 1_000_000
"""A camera clock that moves by more than the first or less than the second between two frames is not believed: it
leaps, stands still, or does not count nanoseconds."""


@dataclass(frozen=True, slots=True)
class Memory:
    """How a stream remembers: smoothing and calibration in ms, bounds of the detector's interval in frames."""

    model: str
    """Name of the model whose answers are remembered."""
    smoothing_ms: float
    neutral_first_ms: float
    least_interval: int
    most_interval: int
    firm: bool
    """Whether the least interval holds at low frame rates too."""


class StreamState:
    """The memory of one stream, for one worker at a time, who holds ``lock``."""

    def __init__(self, memory: Memory, sample: Sampler) -> None:
        self.lock = threading.Lock()
        """Held while a frame is worked on; two connections may meet here when a stream is resumed."""
        self.tracker = Tracker(sample)
        self._now_ns = 0
        self._capture_ns = 0
        self._arrival_ns = 0
        self._remember(memory)

    def _remember(self, memory: Memory) -> None:
        self._memory = memory
        self.cadence = Cadence(memory.least_interval, memory.most_interval, firm=memory.firm)
        self._smoother = Smoother(memory.smoothing_ms)
        self._calibration = NeutralCalibration(memory.neutral_first_ms)

    def adopt(self, memory: Memory) -> None:
        """Go on under the settings of a stream that was reopened: tracks stay; where settings are new, what rested on
        the old ones starts afresh. For whoever holds ``lock``.
        """
        if memory is not self._memory and memory != self._memory:
            self._remember(memory)

    def advance(self, capture_ns: int, arrival_ns: int) -> int:
        """The stream's own clock at this frame, in ns, which never falls.

        It follows the camera's clock, and the server's where the camera gives none, stands still, jumps back, or leaps
        ahead.
        """
        step = capture_ns - self._capture_ns if capture_ns and self._capture_ns else -1
        if not _LEAST_STEP_NS <= step <= _LEAP_NS:
            step = max(arrival_ns - self._arrival_ns, 0) if self._arrival_ns else 0
        self._capture_ns, self._arrival_ns = capture_ns, arrival_ns
        self._now_ns += step
        return self._now_ns

    def refine(
        self, faces: list[tuple[HeadResult, ...]], track_ids: NDArray[int64], now_ns: int, *, neutral: bool
    ) -> list[tuple[HeadResult, ...]]:
        """Calibrate and smooth what the heads say of each tracked face."""
        refined = []
        for track_id, heads in zip(track_ids.tolist(), faces, strict=True):
            corrected = (self._calibration.correct(track_id, head, now_ns, neutral=neutral) for head in heads)
            refined.append(tuple(self._smoother.smooth(track_id, head, now_ns) for head in corrected))
        known = self.tracker.known_ids
        self._smoother.forget_others(known)
        self._calibration.forget_others(known)
        return refined
