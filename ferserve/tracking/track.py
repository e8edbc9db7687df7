"""One tracked face: its box, how it moves, what it looks like."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferserve.tracking.boxes import Box, carried, grown, log_side, shifted
from ferserve.tracking.template import Pixels

MAX_MISSES = 2
"""A track that this many passes in a row missed is no longer reported."""
GROWTH_DAMPING = 0.7
"""Share of the growth between two passes that is extrapolated; the rest counts as jitter."""
_MAX_COAST_NS = 300_000_000
"""A velocity is extrapolated for at most this long."""
_MAX_GROWTH = 1.5e-9
"""Per ns: sides that grow by a factor of e in two thirds of a second. Faster growth is a mistake."""
_MIN_STEP_NS = 1_000_000
"""No camera is faster; over a shorter step a shift says nothing about velocity."""


@dataclass(frozen=True, slots=True)
class DetectedSize:
    """Size of a face at a detection pass."""

    log_side: float  # logarithm of the geometric mean of the sides, px
    time_ns: int


@dataclass(frozen=True, slots=True)
class Sighting:
    """Where a face was and how it moved when nothing else was near: half covered, its box shrinks and stays behind."""

    xyxy: Box
    velocity: tuple[float, float]
    time_ns: int


@dataclass(slots=True)
class Track:
    """One face of a stream, seen now or not long ago."""

    track_id: int  # 0 until a doubtful detection is found again
    xyxy: Box
    score: float
    landmarks: NDArray[np.float32] | None
    template: Pixels | None
    seen_ns: int  # when xyxy was last measured
    detected: DetectedSize  # at the last pass
    velocity: tuple[float, float] = (0.0, 0.0)  # of the centre, px per ns
    growth: float = 0.0  # of log_side, per ns
    misses: int = 0
    sure: bool = True
    correlation: float = 1.0  # of the template's last match
    portrait: Pixels | None = None  # the last template that shows no part of another face
    clear: Sighting | None = None  # the last one
    place_known: bool = True  # False after a cut

    def numbers(self, now_ns: int) -> tuple[float, ...]:
        """The columns of :attr:`ferserve.types.handover.Handover.places`."""
        (vx, vy), detected = self.velocity, self.detected
        return (
            *self.xyxy,
            vx * 1e9,
            vy * 1e9,
            self.growth * 1e9,
            self.score,
            detected.log_side,
            (now_ns - self.seen_ns) / 1000,
            (now_ns - detected.time_ns) / 1000,
            self.misses,
        )

    @classmethod
    def of_numbers(cls, track_id: int, numbers: Sequence[float], now_ns: int) -> Track:
        """The track whose :meth:`numbers` these are; nobody knows what it looks like."""
        x0, y0, x1, y1, vx, vy, growth, score, side, age_us, detected_us, misses = numbers
        size = DetectedSize(side, now_ns - int(detected_us * 1000))
        track = cls(track_id, (x0, y0, x1, y1), score, None, None, now_ns - int(age_us * 1000), size)
        track.velocity, track.growth, track.misses = (vx / 1e9, vy / 1e9), growth / 1e9, int(misses)
        return track

    @property
    def reported(self) -> bool:
        """Whether results show the track."""
        return self.track_id > 0 and self.misses < MAX_MISSES

    def expected(self, now_ns: int) -> Box:
        """The box, extrapolated with its velocity and growth; a lost one keeps its course."""
        elapsed = max(now_ns - self.seen_ns, 0)
        if self.clear is not None and not self.reported and self.track_id:
            elapsed = max(now_ns - self.clear.time_ns, 0)
            return shifted(self.clear.xyxy, self.clear.velocity[0] * elapsed, self.clear.velocity[1] * elapsed)
        elapsed = min(elapsed, _MAX_COAST_NS)
        moved = shifted(self.xyxy, self.velocity[0] * elapsed, self.velocity[1] * elapsed)
        return grown(moved, math.exp(self.growth * elapsed)) if self.growth else moved

    def estimate_growth(self, xyxy: Box, now_ns: int) -> None:
        """Update the growth from a detected box: a template tells where a face is, not how large."""
        size = DetectedSize(log_side(xyxy), now_ns)
        elapsed = now_ns - self.detected.time_ns
        usable = _MIN_STEP_NS <= elapsed <= _MAX_COAST_NS
        growth = GROWTH_DAMPING * (size.log_side - self.detected.log_side) / elapsed if usable else 0.0
        self.growth = min(max(growth, -_MAX_GROWTH), _MAX_GROWTH)
        self.detected = size

    def move_to(self, xyxy: Box, now_ns: int) -> None:
        """Take a measured box; the landmarks move and grow with it."""
        dx = (xyxy[0] + xyxy[2] - self.xyxy[0] - self.xyxy[2]) / 2
        dy = (xyxy[1] + xyxy[3] - self.xyxy[1] - self.xyxy[3]) / 2
        elapsed = now_ns - self.seen_ns
        if elapsed >= _MIN_STEP_NS:  # averaged with the last velocity, or jitter would count as movement
            self.velocity = (self.velocity[0] + dx / elapsed) / 2, (self.velocity[1] + dy / elapsed) / 2
        if self.landmarks is not None:
            self.landmarks = carried(self.landmarks, self.xyxy, xyxy)
        self.xyxy, self.seen_ns = xyxy, now_ns

    def scale(self, x: float, y: float) -> None:
        """Follow a change of the frame's size by these factors."""
        x0, y0, x1, y1 = self.xyxy
        self.xyxy = x0 * x, y0 * y, x1 * x, y1 * y
        self.velocity = self.velocity[0] * x, self.velocity[1] * y
        if self.clear is not None:
            (x0, y0, x1, y1), (vx, vy) = self.clear.xyxy, self.clear.velocity
            self.clear = Sighting((x0 * x, y0 * y, x1 * x, y1 * y), (vx * x, vy * y), self.clear.time_ns)
        self.detected = DetectedSize(self.detected.log_side + math.log(x * y) / 2, self.detected.time_ns)
        if self.landmarks is not None:
            self.landmarks = self.landmarks * np.array([x, y], np.float32)
