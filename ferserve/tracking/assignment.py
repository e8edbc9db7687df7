"""Which detection is which track: by overlap while a face is seen, by motion and appearance once it was lost.

Faces rarely overlap, so greedy matching, best pair first, loses nothing against the Hungarian method. Appearance costs
time and changes with every turn of a head: it is asked only if overlap leaves a choice, and for lost tracks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ferserve.tracking.boxes import Box, distance, held_in, is_cut, log_side
from ferserve.tracking.template import Pixels
from ferserve.tracking.track import Track
from ferserve.vision.geometry import iou_matrix

MIN_IOU = 0.2
"""Least overlap of a detection with a track's expected box for a match."""
NEAR_LIKENESS, FAR_LIKENESS, CUT_LIKENESS = 0.35, 0.7, 0.85
"""Least likeness of a lost face that comes back: near its course, elsewhere within reach, and after a cut."""
NEAR_SIDES = 0.5
"""Distance from a track's course, in sides of the face, that counts as near it."""
REACH_SIDES_PER_NS = 5e-9
"""Speed at which a lost face may leave its course, in sides of the face."""
MAX_GROWTH_WHILE_LOST = math.log(1.6)
"""Largest change of the logarithm of a face's side while it was lost."""
MAX_COMPARED = 8
"""Lost tracks that are compared with each detection, the latest ones; each comparison takes time."""

Likeness = Callable[[list[int], Sequence[Track]], NDArray[np.float64]]
"""(rows of detections, tracks) to the correlations of their looks, (N, M) in [-1, 1]."""


def by_overlap(
    xyxy: NDArray[np.float32], tracks: list[Track], now_ns: int, likeness: Likeness | None
) -> dict[int, Track]:
    """The track of each detection (N, 4) by row, for those that overlap one; likeness decides between several."""
    if not tracks or not len(xyxy):
        return {}
    scores = iou_matrix(xyxy, np.array([t.expected(now_ns) for t in tracks], np.float32)).astype(np.float64)
    overlaps = scores >= MIN_IOU
    if likeness is not None and overlaps.size > 1 and max(overlaps.sum(axis=0).max(), overlaps.sum(axis=1).max()) > 1:
        scores += likeness(list(range(len(xyxy))), tracks)
    scores[~overlaps] = -np.inf
    return {row: tracks[column] for row, column in _best_pairs(scores)}


def by_appearance(
    boxes: dict[int, Box], tracks: list[Track], now_ns: int, likeness: Likeness, luma: Pixels
) -> dict[int, Track]:
    """The lost track of each detection in ``luma`` (H, W) that may be one come back; ``boxes`` holds them by row.

    Who left over the edge of the frame is expected there.
    """
    latest = sorted(tracks, key=lambda track: -track.seen_ns)[:MAX_COMPARED]
    if not boxes or not latest:
        return {}
    rows = list(boxes)
    least = np.array([[_least_likeness(boxes[row], track, now_ns, luma) for track in latest] for row in rows])
    if not (least <= 1).any():
        return {}
    scores = likeness(rows, latest)
    scores[scores < least] = -np.inf
    return {rows[row]: latest[column] for row, column in _best_pairs(scores)}


def _least_likeness(box: Box, track: Track, now_ns: int, luma: Pixels) -> float:
    """How alike a detection and a lost track must look; above 1 if they cannot be one face."""
    if not track.place_known:
        return CUT_LIKENESS
    expected = held_in(track.expected(now_ns), luma)
    if abs(log_side(box) - log_side(expected)) > MAX_GROWTH_WHILE_LOST:
        return math.inf
    off = distance(box, expected) / math.exp(log_side(expected))
    if off <= NEAR_SIDES and not is_cut(expected, luma):  # anybody may come in over the edge
        return NEAR_LIKENESS
    return FAR_LIKENESS if off <= NEAR_SIDES + REACH_SIDES_PER_NS * (now_ns - track.seen_ns) else math.inf


def _best_pairs(scores: NDArray[np.float64]) -> list[tuple[int, int]]:
    """(row, column) of finite scores, best first, each row and column at most once."""
    pairs: list[tuple[int, int]] = []
    rows, columns = set(), set()
    for flat in np.argsort(-scores, axis=None, kind="stable"):
        row, column = divmod(int(flat), scores.shape[1])
        if scores[row, column] == -np.inf:
            break
        if row not in rows and column not in columns:
            pairs.append((row, column))
            rows.add(row)
            columns.add(column)
    return pairs
