"""Stable ids for the faces of one stream.

The detector confirms tracks now and then; between its looks each face is followed by :mod:`ferserve.tracking.template`.
Detections are matched to tracks by overlap, best pair first: where faces rarely overlap, greedy matching loses nothing
against the Hungarian method. A track that the detector has missed twice is no longer shown, but remembered for a while,
so that a face that turned away gets its id back. What it is not sure of must be found twice in a row before it becomes
a face; from then on the same score is enough, as in ByteTrack (Zhang et al. 2022, arXiv:2110.06864, section 3).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ferserve.tracking.template import Pixels, Sampler, locate, templates_of
from ferserve.types import Detections
from ferserve.vision.geometry import iou_matrix

MIN_IOU = 0.2
"""Least overlap of a detection and a track's expected box for them to be one face."""
CERTAIN = 0.65
"""A new face of a lower score waits for a second look."""
SURE = 0.6
"""Least correlation at which a followed face is believed to be where it was found."""
MAX_MISSES = 2
"""A track that the detector has missed so often in a row is not shown any more."""
STEADY = 0.3
"""How much of the followed box goes into a confirmed one: the detector's jitter would reach the classifier."""
GROWTH_BELIEVED = 0.7
"""How much of the growth between two looks is expected to go on: the rest is taken for jitter."""
REMEMBER_NS = 1_000_000_000
"""How long a track that is not shown may still come back under its id."""
MOST_REMEMBERED = 64
"""Tracks that are not found at most remembered, those seen last; matching takes time for each."""
_COAST_NS = 300_000_000
"""A velocity is believed for this long at most."""


_EDGE_PX = 0.01
"""A face that shows less than this of itself at the edge of the frame is outside, also once it is rounded."""
_FASTEST_GROWTH = 1.5e-9
"""Sides that grow by a factor of e in two thirds of a second; faster is a mistake."""
_SHORTEST_NS = 1_000_000
"""No camera is faster; a movement within less says nothing of a velocity."""

Box: TypeAlias = tuple[float, float, float, float]
# Boxes of single tracks are plain tuples: for the one or two faces of a frame, NumPy's calls cost more than the sums.


@dataclass(frozen=True, slots=True)
class _Look:
    """How large the detector saw a face, and when."""

    sides: float  # logarithm of their geometric mean, px
    time_ns: int


@dataclass(slots=True)
class _Track:
    track_id: int  # 0 for what may not be a face
    xyxy: Box
    score: float
    landmarks: NDArray[np.float32] | None
    template: Pixels | None
    seen_ns: int  # when xyxy was last measured
    looked: _Look  # the detector's last
    velocity: tuple[float, float] = (0.0, 0.0)  # of the centre, px a ns
    growth: float = 0.0  # of the logarithm of the sides, a ns
    misses: int = 0
    sure: bool = True

    @property
    def shown(self) -> bool:
        return self.track_id > 0 and self.misses < MAX_MISSES

    def expected(self, now_ns: int) -> Box:
        """The box, moved on with the last velocity, and grown on as it grew between the detector's last looks."""
        elapsed = min(max(now_ns - self.seen_ns, 0), _COAST_NS)
        moved = _shifted(self.xyxy, self.velocity[0] * elapsed, self.velocity[1] * elapsed)
        return _grown(moved, math.exp(self.growth * elapsed)) if self.growth else moved

    def look(self, xyxy: Box, now_ns: int) -> None:
        """Foresee the growth until the next look; following by a template tells where a face is, not how large."""
        look = _Look(_log_sides(xyxy), now_ns)
        elapsed = now_ns - self.looked.time_ns
        believed = _SHORTEST_NS <= elapsed <= _COAST_NS
        growth = GROWTH_BELIEVED * (look.sides - self.looked.sides) / elapsed if believed else 0.0
        self.growth = min(max(growth, -_FASTEST_GROWTH), _FASTEST_GROWTH)
        self.looked = look

    def move_to(self, xyxy: Box, now_ns: int) -> None:
        """Take a new measurement of the place; the landmarks move and grow along."""
        dx = (xyxy[0] + xyxy[2] - self.xyxy[0] - self.xyxy[2]) / 2
        dy = (xyxy[1] + xyxy[3] - self.xyxy[1] - self.xyxy[3]) / 2
        elapsed = now_ns - self.seen_ns
        if elapsed >= _SHORTEST_NS:  # half of the new velocity: jitter would otherwise be taken for movement
            self.velocity = (self.velocity[0] + dx / elapsed) / 2, (self.velocity[1] + dy / elapsed) / 2
        if self.landmarks is not None:
            self.landmarks = _carried(self.landmarks, self.xyxy, xyxy)
        self.xyxy, self.seen_ns = xyxy, now_ns

    def scale(self, x: float, y: float) -> None:
        """Stretch the frame around the face."""
        x0, y0, x1, y1 = self.xyxy
        self.xyxy = x0 * x, y0 * y, x1 * x, y1 * y
        self.velocity = self.velocity[0] * x, self.velocity[1] * y
        self.looked = _Look(self.looked.sides + math.log(x * y) / 2, self.looked.time_ns)
        if self.landmarks is not None:
            self.landmarks = self.landmarks * np.array([x, y], np.float32)


@dataclass(frozen=True)
class Tracked:
    """The faces of one frame: ``track_ids`` int64 (N,) for the rows of ``detections``.

    ``unsure`` is True where a face was missed, not found again with confidence, or not certain, so that the detector
    should look.
    """

    detections: Detections
    track_ids: NDArray[np.int64]
    unsure: bool


class Tracker:
    """Follows the faces of one stream; times are nanoseconds of one clock that never falls."""

    def __init__(self, sample: Sampler) -> None:
        self._sample = sample
        self._ids: Iterator[int] = itertools.count(1)
        self._tracks: list[_Track] = []
        self._size = (0, 0)

    @property
    def known_ids(self) -> set[int]:
        """Of all tracks that are shown or may come back."""
        return {track.track_id for track in self._tracks}

    def fit(self, width: int, height: int) -> None:
        """Frames are of this size, px, from now on: where it is a new one, the same view is taken to be scaled."""
        if (width, height) == self._size:
            return
        x, y = (new / max(old, 1) for new, old in zip((width, height), self._size, strict=True))
        for track in self._tracks:
            track.scale(x, y)
        self._size = (width, height)

    def confirm(self, detections: Detections, now_ns: int, luma: Pixels | None = None) -> Tracked:
        """Take what the detector, or the client, found in a frame.

        With ``luma`` uint8 (H, W) given, missed faces are followed, new looks are kept for following, and doubtful ones
        wait for another look. The other rows of ``detections`` come first, in their order, then the missed faces that
        are still followed.
        """
        if luma is not None:
            self._locate(luma, now_ns)
        candidates = self._tracks
        expected = np.array([t.expected(now_ns) for t in candidates], np.float32).reshape(-1, 4)
        matches = _match(iou_matrix(detections.xyxy, expected)) if candidates else {}
        found = [
            self._confirmed(candidates[matches[row]] if row in matches else None, detections, row, now_ns, luma)
            for row in range(len(detections))
        ]
        if luma is not None and found:
            looks = templates_of(luma, np.array([t.xyxy for t in found], np.float32), self._sample)
            for track, look in zip(found, looks, strict=True):
                track.template = look
        missed = [t for i, t in enumerate(candidates) if i not in matches.values()]
        for track in missed:
            track.misses += 1 if luma is not None and track.sure else MAX_MISSES
        remembered = [t for t in missed if t.track_id and now_ns - t.seen_ns <= REMEMBER_NS]
        remembered.sort(key=lambda track: -track.seen_ns)
        self._tracks = found + remembered[:MOST_REMEMBERED]
        return self._shown(luma, unsure=any(t.shown for t in missed) or not all(t.track_id for t in found))

    def _confirmed(
        self, track: _Track | None, detections: Detections, row: int, now_ns: int, luma: Pixels | None
    ) -> _Track:
        """The track of one detection: an old one, moved there, or a new one."""
        x0, y0, x1, y1 = detections.xyxy[row].tolist()
        box: Box = (x0, y0, x1, y1)
        score = float(detections.score[row])
        landmarks = None if detections.landmarks is None else detections.landmarks[row]
        if track is None:
            certain = luma is None or score >= CERTAIN
            look = _Look(_log_sides(box), now_ns)
            return _Track(next(self._ids) if certain else 0, box, score, landmarks, None, now_ns, look)
        track.track_id = track.track_id or next(self._ids)
        track.look(box, now_ns)
        if luma is not None and track.shown and track.sure:
            box = _between(box, track.xyxy, STEADY)
        track.move_to(box, now_ns)
        track.score, track.landmarks, track.template = score, landmarks, None
        track.misses, track.sure = 0, True
        return track

    def follow(self, luma: Pixels, now_ns: int) -> Tracked:
        """Where the faces are on a frame, luma uint8 (H, W), that the detector does not look at."""
        self._locate(luma, now_ns)
        return self._shown(luma, unsure=any(t.shown and not (t.sure and t.misses == 0) for t in self._tracks))

    def _locate(self, luma: Pixels, now_ns: int) -> None:
        """Move every shown track to where its template is found; those that leave the frame or get lost are unsure."""
        followed, expected = [], []
        for track in self._tracks:
            if track.shown and track.template is not None:
                box = track.expected(now_ns)
                track.sure = _overlaps_frame(box, luma)
                if track.sure:
                    followed.append(track)
                    expected.append(box)
        if not followed:
            return
        templates = [track.template for track in followed if track.template is not None]
        shifts, confidences = locate(luma, np.array(expected, np.float32), templates, self._sample)
        for track, box, (dx, dy), confidence in zip(followed, expected, shifts, confidences, strict=True):
            found = _shifted(box, dx, dy)
            track.sure = confidence >= SURE and _overlaps_frame(found, luma)
            if track.sure:
                track.move_to(found, now_ns)

    def _shown(self, luma: Pixels | None, *, unsure: bool) -> Tracked:
        shown = [t for t in self._tracks if t.shown and (luma is None or _overlaps_frame(t.xyxy, luma))]
        if not shown:
            return Tracked(Detections.empty(), np.zeros(0, np.int64), unsure)
        marks = [t.landmarks for t in shown if t.landmarks is not None]
        detections = Detections(
            np.array([t.xyxy for t in shown], np.float32),
            np.array([t.score for t in shown], np.float32),
            np.array(marks, np.float32) if len(marks) == len(shown) else None,
        )
        return Tracked(detections, np.array([t.track_id for t in shown], np.int64), unsure)


def _between(a: Box, b: Box, part: float) -> Box:
    """``part`` of the way from one box to another."""
    w = 1 - part
    return w * a[0] + part * b[0], w * a[1] + part * b[1], w * a[2] + part * b[2], w * a[3] + part * b[3]


def _shifted(xyxy: Box, dx: float, dy: float) -> Box:
    return xyxy[0] + dx, xyxy[1] + dy, xyxy[2] + dx, xyxy[3] + dy


def _grown(xyxy: Box, factor: float) -> Box:
    """A box around the same centre with sides ``factor`` times as long."""
    x0, y0, x1, y1 = xyxy
    more = (factor - 1) / 2
    dx, dy = (x1 - x0) * more, (y1 - y0) * more
    return x0 - dx, y0 - dy, x1 + dx, y1 + dy


def _log_sides(xyxy: Box) -> float:
    """Logarithm of the geometric mean of the sides, px."""
    return math.log(max((xyxy[2] - xyxy[0]) * (xyxy[3] - xyxy[1]), 1e-6)) / 2


def _carried(points: NDArray[np.float32], before: Box, after: Box) -> NDArray[np.float32]:
    """``points`` (5, 2) of the box ``before``, where they lie in the box ``after``."""
    factor = math.exp(_log_sides(after) - _log_sides(before))
    dx = (after[0] + after[2] - factor * (before[0] + before[2])) / 2
    dy = (after[1] + after[3] - factor * (before[1] + before[3])) / 2
    return points * np.float32(factor) + np.array([dx, dy], np.float32)


def _overlaps_frame(xyxy: Box, luma: Pixels) -> bool:
    height, width = luma.shape
    return xyxy[0] < width - _EDGE_PX and xyxy[1] < height - _EDGE_PX and xyxy[2] > _EDGE_PX and xyxy[3] > _EDGE_PX


def _match(iou: NDArray[np.float32]) -> dict[int, int]:
    """Row to column, best pair first, each at most once."""
    matches: dict[int, int] = {}
    for flat in np.argsort(-iou, axis=None, kind="stable"):
        row, column = divmod(int(flat), iou.shape[1])
        if iou[row, column] < MIN_IOU:
            break
        if row not in matches and column not in matches.values():
            matches[row] = column
    return matches
