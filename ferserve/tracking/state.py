"""State that a stream keeps between frames."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from numpy import int64
from numpy.typing import NDArray

from ferserve.tracking.neutral import NeutralCalibration
from ferserve.tracking.schedule import DetectionSchedule
from ferserve.tracking.smoothing import Smoother
from ferserve.tracking.template import Sampler
from ferserve.tracking.tracker import Tracker
from ferserve.types import HeadResult
from ferserve.types.handover import Handover

_MIN_STEP_NS = 1_000_000
_MAX_STEP_NS = 5_000_000_000
"""Steps of a trustworthy camera clock. Outside of them it stands still, jumps, or does not count nanoseconds."""

_USUAL_STEP_NS = 33_333_333

_BYTES, _BYTES_PER_TRACK = 4096, 3072
"""Of memory, with what a face is smoothed and calibrated by; measured on streams of 64 faces, and rounded up."""


_NEW_IDS_PER_S, _CLOCK_SKEW_S = 64, 10
"""A stream that goes on elsewhere skips the ids that it may have given out since the handover: at most this many new
faces per second, and clocks that differ by this much."""


@dataclass(frozen=True, slots=True)
class StateSettings:
    """Settings of a stream's state: durations in ms, detection intervals in frames."""

    models: tuple[str, ...]
    """Names of the models that the smoothed results come from."""
    smoothing_ms: float
    neutral_first_ms: float
    min_interval: int
    max_interval: int
    strict_minimum: bool
    """Whether ``min_interval`` holds at low frame rates too."""
    repeatable: bool = False
    """Whether the same frames must always give the same results. Neither the machine's load nor its clock counts then.
    """


class StreamState:
    """State of one stream. One worker at a time uses it, holding ``lock``."""

    def __init__(self, settings: StateSettings, sample: Sampler) -> None:
        self.begin_again()
        self.tracker = Tracker(sample)
        self._now_ns = 0
        self._capture_ns = 0
        self._step_ns = _USUAL_STEP_NS
        self._apply(settings)

    def begin_again(self) -> None:
        """Forget what belongs to a process: who works on a frame, and its clock."""
        self.lock = threading.Lock()
        """Held while a frame is processed: on resumption the old and the new connection may both have one."""
        self._arrival_ns = 0

    def _apply(self, settings: StateSettings) -> None:
        self._settings = settings
        self.schedule = DetectionSchedule(
            settings.min_interval,
            settings.max_interval,
            strict_minimum=settings.strict_minimum,
            repeatable=settings.repeatable,
        )
        self._smoother = Smoother(settings.smoothing_ms)
        self._calibration = NeutralCalibration(settings.neutral_first_ms)

    @property
    def size_bytes(self) -> int:
        """Memory that the state takes, roughly."""
        return _BYTES + _BYTES_PER_TRACK * len(self.tracker.known_ids)

    def reconfigure(self, settings: StateSettings) -> None:
        """Take the settings of a resumed stream. Tracks stay; schedule, smoothing and calibration restart on a change.

        The caller holds ``lock``.
        """
        if settings is not self._settings and settings != self._settings:
            self._apply(settings)

    def hand_over(self, frame_id: int) -> Handover:
        """What is known after the frame of that id, without pixels: templates, looks and lost faces are left out.

        The caller holds ``lock``. What it returns refers to arrays that nobody changes.
        """
        handover = Handover(frame_id, _digest(self._settings), self._now_ns, self._capture_ns, 0, (0, 0), [], [])
        self.tracker.save(handover)
        self._smoother.save(handover)
        self._calibration.save(handover)
        return handover

    def take_over(self, handover: Handover, heads: Mapping[bytes, tuple[str, tuple[str, ...]]]) -> None:
        """Go on from a handover, in a state that has seen no frame yet.

        The next frame gets a detection pass. With other settings, smoothing and calibration start afresh, as do heads
        that are not in ``heads``, names and labels by :func:`ferserve.types.handover.head_digest`.
        """
        self._now_ns, self._capture_ns = handover.now_ns, handover.capture_ns
        self._arrival_ns = max(time.monotonic_ns() - int(handover.age_s * 1e9), 1)
        self.tracker.load(handover)
        self.tracker.skip_ids(handover.last_track_id + int((handover.age_s + _CLOCK_SKEW_S) * _NEW_IDS_PER_S))
        if handover.settings == _digest(self._settings):
            self._smoother.load(handover, heads)
            self._calibration.load(handover, heads)

    def advance(self, capture_ns: int, arrival_ns: int) -> int:
        """The stream's clock at this frame, in ns; it never falls.

        It follows the camera's clock, or the server's if the camera's is missing, stands still, or jumps. In a
        repeatable stream a clock that stands still moves on by its last good step, and a leap counts as the longest.
        """
        step = capture_ns - self._capture_ns if capture_ns and self._capture_ns else -1
        if _MIN_STEP_NS <= step <= _MAX_STEP_NS:
            self._step_ns = step
        elif self._settings.repeatable and capture_ns and self._capture_ns:
            step = self._step_ns if step < _MIN_STEP_NS else _MAX_STEP_NS
        else:
            step = max(arrival_ns - self._arrival_ns, 0) if self._arrival_ns else 0
        self._capture_ns, self._arrival_ns = capture_ns, arrival_ns
        self._now_ns += step
        return self._now_ns

    def refine(
        self, faces: list[tuple[HeadResult, ...]], track_ids: NDArray[int64], now_ns: int, *, neutral: bool
    ) -> list[tuple[HeadResult, ...]]:
        """Calibrate and smooth the head results of each face, in the order of ``track_ids`` (N,)."""
        refined = []
        for track_id, heads in zip(track_ids.tolist(), faces, strict=True):
            corrected = (self._calibration.correct(track_id, head, now_ns, neutral=neutral) for head in heads)
            refined.append(tuple(self._smoother.smooth(track_id, head, now_ns) for head in corrected))
        known = self.tracker.known_ids
        self._smoother.retain(known)
        self._calibration.retain(known)
        return refined


@lru_cache(maxsize=256)
def _digest(settings: StateSettings) -> bytes:
    """By what settings are known elsewhere."""
    return hashlib.blake2b(repr(settings).encode(), digest_size=8).digest()
