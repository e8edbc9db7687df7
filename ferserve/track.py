"""Stable ids for the faces of one stream.

Detections are matched to tracks by overlap, best pair first (greedy matching loses nothing against the Hungarian method
where faces rarely overlap), and between detections a track moves on with its last velocity.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferserve.types import Detections

MIN_IOU = 0.2
"""Least overlap of a detection and a track's expected box for them to be one face."""
LOST_AFTER_NS = 300_000_000
"""A track that no detection has confirmed for this long is forgotten."""


@dataclass
class _Track:
    track_id: int
    xyxy: NDArray[np.float32]
    score: float
    landmarks: NDArray[np.float32] | None
    velocity: NDArray[np.float32]  # of the centre, px a ns
    seen_ns: int

    def expected(self, now_ns: int) -> NDArray[np.float32]:
        """The box, moved on with the last velocity for at most :data:`LOST_AFTER_NS`."""
        elapsed = min(max(now_ns - self.seen_ns, 0), LOST_AFTER_NS)
        return self.xyxy + np.tile(self.velocity * np.float32(elapsed), 2)


class Tracker:
    """Follows the faces of one stream; times are nanoseconds of one clock that never falls."""

    def __init__(self) -> None:
        self._ids: Iterator[int] = itertools.count(1)
        self._tracks: list[_Track] = []

    def update(self, detections: Detections, now_ns: int) -> NDArray[np.int64]:
        """Take what the detector found; returns the track id (N,) of each detection."""
        self._tracks = [t for t in self._tracks if now_ns - t.seen_ns <= LOST_AFTER_NS]
        expected = np.array([t.expected(now_ns) for t in self._tracks], np.float32).reshape(-1, 4)
        matches = _match(iou_matrix(detections.xyxy, expected))
        found = [self._seen(detections, i, matches.get(i), now_ns) for i in range(len(detections))]
        kept = [t for i, t in enumerate(self._tracks) if i not in matches.values()]
        self._tracks = kept + found
        return np.array([t.track_id for t in found], np.int64)

    def predict(self, now_ns: int) -> tuple[Detections, NDArray[np.int64]]:
        """Where the tracked faces should be on a frame that the detector did not see, and their ids."""
        live = [t for t in self._tracks if now_ns - t.seen_ns <= LOST_AFTER_NS]
        if not live:
            return Detections.empty(), np.zeros(0, np.int64)
        xyxy = np.array([t.expected(now_ns) for t in live], np.float32)
        score = np.array([t.score for t in live], np.float32)
        marks = [t.landmarks for t in live]
        moved = None
        if all(m is not None for m in marks):
            shift = xyxy[:, None, :2] - np.array([t.xyxy[:2] for t in live])[:, None]
            moved = np.array(marks, np.float32) + shift
        return Detections(xyxy, score, moved), np.array([t.track_id for t in live], np.int64)

    def _seen(self, detections: Detections, row: int, match: int | None, now_ns: int) -> _Track:
        xyxy, score = detections.xyxy[row], float(detections.score[row])
        landmarks = None if detections.landmarks is None else detections.landmarks[row]
        if match is None:
            return _Track(next(self._ids), xyxy, score, landmarks, np.zeros(2, np.float32), now_ns)
        track = self._tracks[match]
        elapsed = now_ns - track.seen_ns
        moved = (xyxy[:2] + xyxy[2:] - track.xyxy[:2] - track.xyxy[2:]) / 2
        # Half of the new velocity: the detector's own jitter would otherwise be taken for movement.
        velocity = (track.velocity + moved / np.float32(elapsed)) / 2 if elapsed > 0 else track.velocity
        return _Track(track.track_id, xyxy, score, landmarks, velocity.astype(np.float32), now_ns)


def iou_matrix(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of boxes (N, 4) and (M, 4) as (N, M)."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    common = np.prod(np.clip(high - low, 0, None), axis=2)
    areas = np.prod(a[:, 2:] - a[:, :2], axis=1)[:, None] + np.prod(b[:, 2:] - b[:, :2], axis=1)[None]
    union = areas - common
    return np.asarray(np.divide(common, union, out=np.zeros_like(common), where=union > 0), np.float32)


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
