"""Stable ids for the faces of one stream.

Detection passes update the tracks; on the frames in between, :mod:`ferserve.tracking.template` follows each face.
Detections are matched to tracks by overlap, best pair first: faces rarely overlap, so greedy matching loses nothing
against the Hungarian method. A track that two passes missed is no longer reported, but kept for a while, so that a face
that turned away gets its id back. A doubtful detection must be found twice in a row before it becomes a track; after
that the same score is enough, as in ByteTrack (Zhang et al. 2022, arXiv:2110.06864, section 3).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ferserve.tracking.template import Pixels, Sampler, cut_templates, match_templates
from ferserve.types import Detections
from ferserve.vision.geometry import iou_matrix

MIN_IOU = 0.2
"""Least overlap of a detection with a track's expected box for a match."""
NEW_TRACK_SCORE = 0.65
"""A new face with a lower score needs a second detection."""
MIN_CORRELATION = 0.6
"""Least correlation at which a template match counts as the face."""
MAX_MISSES = 2
"""A track that this many passes in a row missed is no longer reported."""
FOLLOWED_WEIGHT = 0.3
"""Weight of the followed box against the detected one: otherwise the detector's jitter reaches the classifier."""
GROWTH_DAMPING = 0.7
"""Share of the growth between two passes that is extrapolated; the rest counts as jitter."""
MAX_LOST_NS = 1_000_000_000
"""How long a lost track can still be recovered under its id."""
MAX_LOST_TRACKS = 64
"""Most undetected tracks that are kept, the latest ones: matching takes time for each."""
_MAX_COAST_NS = 300_000_000
"""A velocity is extrapolated for at most this long."""
_EDGE_PX = 0.01
"""A face that overlaps the frame by less is outside, even after rounding."""
_MAX_GROWTH = 1.5e-9
"""Per ns: sides that grow by a factor of e in two thirds of a second. Faster growth is a mistake."""
_MIN_STEP_NS = 1_000_000
"""No camera is faster; over a shorter step a shift says nothing about velocity."""

Box: TypeAlias = tuple[float, float, float, float]
# The boxes of single tracks are plain tuples: for one or two faces, NumPy's calls cost more than the arithmetic.


@dataclass(frozen=True, slots=True)
class _DetectedSize:
    """Size of a face at a detection pass."""

    log_side: float  # logarithm of the geometric mean of the sides, px
    time_ns: int


@dataclass(slots=True)
class _Track:
    track_id: int  # 0 until a doubtful detection is found again
    xyxy: Box
    score: float
    landmarks: NDArray[np.float32] | None
    template: Pixels | None
    seen_ns: int  # when xyxy was last measured
    detected: _DetectedSize  # at the last pass
    velocity: tuple[float, float] = (0.0, 0.0)  # of the centre, px per ns
    growth: float = 0.0  # of log_side, per ns
    misses: int = 0
    sure: bool = True

    @property
    def reported(self) -> bool:
        return self.track_id > 0 and self.misses < MAX_MISSES

    def expected(self, now_ns: int) -> Box:
        """The box, extrapolated with the last velocity and the growth between the last two passes."""
        elapsed = min(max(now_ns - self.seen_ns, 0), _MAX_COAST_NS)
        moved = _shifted(self.xyxy, self.velocity[0] * elapsed, self.velocity[1] * elapsed)
        return _grown(moved, math.exp(self.growth * elapsed)) if self.growth else moved

    def estimate_growth(self, xyxy: Box, now_ns: int) -> None:
        """Update the growth from a detected box: a template tells where a face is, not how large."""
        size = _DetectedSize(_log_side(xyxy), now_ns)
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
            self.landmarks = _carried(self.landmarks, self.xyxy, xyxy)
        self.xyxy, self.seen_ns = xyxy, now_ns

    def scale(self, x: float, y: float) -> None:
        """Follow a change of the frame's size by these factors."""
        x0, y0, x1, y1 = self.xyxy
        self.xyxy = x0 * x, y0 * y, x1 * x, y1 * y
        self.velocity = self.velocity[0] * x, self.velocity[1] * y
        self.detected = _DetectedSize(self.detected.log_side + math.log(x * y) / 2, self.detected.time_ns)
        if self.landmarks is not None:
            self.landmarks = self.landmarks * np.array([x, y], np.float32)


@dataclass(frozen=True)
class Tracked:
    """The faces of one frame: ``track_ids`` int64 (N,) for the rows of ``detections``.

    ``unsure`` asks for a detection pass: a face was missed, its template was lost, or a detection is doubtful.
    """

    detections: Detections
    track_ids: NDArray[np.int64]
    unsure: bool


class Tracker:
    """Tracks the faces of one stream. Times are nanoseconds of one clock that never falls."""

    def __init__(self, sample: Sampler) -> None:
        self._sample = sample
        self._ids: Iterator[int] = itertools.count(1)
        self._tracks: list[_Track] = []
        self._size = (0, 0)

    @property
    def known_ids(self) -> set[int]:
        """Ids of all tracks that are reported or may be recovered."""
        return {track.track_id for track in self._tracks}

    def set_frame_size(self, width: int, height: int) -> None:
        """Announce the size of the next frames, px. A new size is taken as the same view, scaled."""
        if (width, height) == self._size:
            return
        x, y = (new / max(old, 1) for new, old in zip((width, height), self._size, strict=True))
        for track in self._tracks:
            track.scale(x, y)
        self._size = (width, height)

    def update(self, detections: Detections, now_ns: int, luma: Pixels | None = None) -> Tracked:
        """Match the detector's or the client's ``detections`` on a frame to the tracks.

        With ``luma`` uint8 (H, W), missed faces are followed, templates are cut for following, and doubtful faces wait
        for a second detection. The result has the other rows of ``detections`` in their order, then the missed faces
        that are still followed.
        """
        if luma is not None:
            self._match_templates(luma, now_ns)
        candidates = self._tracks
        expected = np.array([t.expected(now_ns) for t in candidates], np.float32).reshape(-1, 4)
        matches = _match(iou_matrix(detections.xyxy, expected)) if candidates else {}
        found = [
            self._updated(candidates[matches[row]] if row in matches else None, detections, row, now_ns, luma)
            for row in range(len(detections))
        ]
        if luma is not None and found:
            templates = cut_templates(luma, np.array([t.xyxy for t in found], np.float32), self._sample)
            for track, template in zip(found, templates, strict=True):
                track.template = template
        missed = [t for i, t in enumerate(candidates) if i not in matches.values()]
        for track in missed:
            track.misses += 1 if luma is not None and track.sure else MAX_MISSES
        kept = [t for t in missed if t.track_id and now_ns - t.seen_ns <= MAX_LOST_NS]
        kept.sort(key=lambda track: -track.seen_ns)
        self._tracks = found + kept[:MAX_LOST_TRACKS]
        return self._reported(luma, unsure=any(t.reported for t in missed) or not all(t.track_id for t in found))

    def _updated(
        self, track: _Track | None, detections: Detections, row: int, now_ns: int, luma: Pixels | None
    ) -> _Track:
        """The track of one detection: ``track``, moved there, or a new one."""
        x0, y0, x1, y1 = detections.xyxy[row].tolist()
        box: Box = (x0, y0, x1, y1)
        score = float(detections.score[row])
        landmarks = None if detections.landmarks is None else detections.landmarks[row]
        if track is None:
            certain = luma is None or score >= NEW_TRACK_SCORE
            size = _DetectedSize(_log_side(box), now_ns)
            return _Track(next(self._ids) if certain else 0, box, score, landmarks, None, now_ns, size)
        track.track_id = track.track_id or next(self._ids)
        track.estimate_growth(box, now_ns)
        if luma is not None and track.reported and track.sure:
            box = _between(box, track.xyxy, FOLLOWED_WEIGHT)
        track.move_to(box, now_ns)
        track.score, track.landmarks, track.template = score, landmarks, None
        track.misses, track.sure = 0, True
        return track

    def follow(self, luma: Pixels, now_ns: int) -> Tracked:
        """Follow the faces on a frame without a detection pass; ``luma`` is uint8 (H, W)."""
        self._match_templates(luma, now_ns)
        return self._reported(luma, unsure=any(t.reported and not (t.sure and t.misses == 0) for t in self._tracks))

    def _match_templates(self, luma: Pixels, now_ns: int) -> None:
        """Move every reported track to its template's best match; without one in the frame it is unsure."""
        followed, expected = [], []
        for track in self._tracks:
            if track.reported and track.template is not None:
                box = track.expected(now_ns)
                track.sure = _overlaps_frame(box, luma)
                if track.sure:
                    followed.append(track)
                    expected.append(box)
        if not followed:
            return
        templates = [track.template for track in followed if track.template is not None]
        shifts, correlations = match_templates(luma, np.array(expected, np.float32), templates, self._sample)
        for track, box, (dx, dy), correlation in zip(followed, expected, shifts, correlations, strict=True):
            found = _shifted(box, dx, dy)
            track.sure = correlation >= MIN_CORRELATION and _overlaps_frame(found, luma)
            if track.sure:
                track.move_to(found, now_ns)

    def _reported(self, luma: Pixels | None, *, unsure: bool) -> Tracked:
        reported = [t for t in self._tracks if t.reported and (luma is None or _overlaps_frame(t.xyxy, luma))]
        if not reported:
            return Tracked(Detections.empty(), np.zeros(0, np.int64), unsure)
        marks = [t.landmarks for t in reported if t.landmarks is not None]
        detections = Detections(
            np.array([t.xyxy for t in reported], np.float32),
            np.array([t.score for t in reported], np.float32),
            np.array(marks, np.float32) if len(marks) == len(reported) else None,
        )
        return Tracked(detections, np.array([t.track_id for t in reported], np.int64), unsure)


def _between(a: Box, b: Box, part: float) -> Box:
    """``part`` of the way from one box to another."""
    w = 1 - part
    return w * a[0] + part * b[0], w * a[1] + part * b[1], w * a[2] + part * b[2], w * a[3] + part * b[3]


def _shifted(xyxy: Box, dx: float, dy: float) -> Box:
    return xyxy[0] + dx, xyxy[1] + dy, xyxy[2] + dx, xyxy[3] + dy


def _grown(xyxy: Box, factor: float) -> Box:
    """A box with the same centre and sides ``factor`` times as long."""
    x0, y0, x1, y1 = xyxy
    more = (factor - 1) / 2
    dx, dy = (x1 - x0) * more, (y1 - y0) * more
    return x0 - dx, y0 - dy, x1 + dx, y1 + dy


def _log_side(xyxy: Box) -> float:
    """Logarithm of the geometric mean of the sides, px."""
    return math.log(max((xyxy[2] - xyxy[0]) * (xyxy[3] - xyxy[1]), 1e-6)) / 2


def _carried(points: NDArray[np.float32], before: Box, after: Box) -> NDArray[np.float32]:
    """``points`` (5, 2) of the box ``before``, moved and scaled to the box ``after``."""
    factor = math.exp(_log_side(after) - _log_side(before))
    dx = (after[0] + after[2] - factor * (before[0] + before[2])) / 2
    dy = (after[1] + after[3] - factor * (before[1] + before[3])) / 2
    return points * np.float32(factor) + np.array([dx, dy], np.float32)


def _overlaps_frame(xyxy: Box, luma: Pixels) -> bool:
    height, width = luma.shape
    return xyxy[0] < width - _EDGE_PX and xyxy[1] < height - _EDGE_PX and xyxy[2] > _EDGE_PX and xyxy[3] > _EDGE_PX


def _match(iou: NDArray[np.float32]) -> dict[int, int]:
    """Detection row to track column, best pair first, each at most once."""
    matches: dict[int, int] = {}
    for flat in np.argsort(-iou, axis=None, kind="stable"):
        row, column = divmod(int(flat), iou.shape[1])
        if iou[row, column] < MIN_IOU:
            break
        if row not in matches and column not in matches.values():
            matches[row] = column
    return matches
