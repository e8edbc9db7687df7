"""Which detection is which track, against the best assignment (Hungarian method) and a plain loop."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from ferserve.tracking.assignment import (
    CUT_LIKENESS,
    FAR_LIKENESS,
    MAX_COMPARED,
    MIN_IOU,
    NEAR_LIKENESS,
    by_appearance,
    by_overlap,
)
from ferserve.tracking.boxes import Box, log_side
from ferserve.tracking.track import DetectedSize, Sighting, Track

SECOND = 10**9
FRAME = np.zeros((480, 800), np.uint8)
Likenesses = NDArray[np.float64]


def _track(track_id: int, box: Sequence[float], *, seen_ns: int = 0) -> Track:
    x0, y0, x1, y1 = map(float, box)
    xyxy: Box = (x0, y0, x1, y1)
    size = DetectedSize(log_side(xyxy), seen_ns)
    return Track(track_id, xyxy, 0.9, None, np.zeros((24, 24), np.uint8), seen_ns, size)


def _lost(track_id: int, box: Sequence[float], *, seen_ns: int = 0, place_known: bool = True) -> Track:
    track = _track(track_id, box, seen_ns=seen_ns)
    track.misses, track.place_known = 2, place_known
    track.clear = Sighting(track.xyxy, (0.0, 0.0), seen_ns)
    return track


def _overlap(a: Sequence[float], b: Sequence[float]) -> float:
    wide, tall = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(wide, 0) * max(tall, 0)
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def _overlaps(boxes: NDArray[np.float32], tracks: Sequence[Track]) -> NDArray[np.float64]:
    return np.array([[_overlap(box, track.xyxy) for track in tracks] for box in boxes.tolist()])


def _ids(matches: dict[int, Track]) -> dict[int, int]:
    return {row: track.track_id for row, track in matches.items()}


@pytest.mark.parametrize("seed", range(20))
def test_faces_side_by_side_get_the_best_assignment_of_all(seed: int) -> None:
    """A crowd whose heads do not cover each other: each moved by up to a quarter of its side, some left or came."""
    rng = np.random.default_rng(seed)
    corners = np.array(list(itertools.product(range(0, 900, 130), range(0, 500, 130))), np.float32)
    boxes = np.concatenate([corners, corners + 90], axis=1)
    tracks = [_track(i + 1, box) for i, box in enumerate(boxes.tolist()) if rng.random() < 0.9]
    moved = (boxes + np.tile(rng.uniform(-22, 22, (len(boxes), 2)), 2)).astype(np.float32)
    moved = moved[rng.permutation(len(moved))[: rng.integers(10, len(moved))]]
    scores = _overlaps(moved, tracks)
    rows, columns = linear_sum_assignment(np.where(scores >= MIN_IOU, scores, 0), maximize=True)
    wanted = {
        row: tracks[column].track_id
        for row, column in zip(rows, columns, strict=True)
        if scores[row, column] >= MIN_IOU
    }
    assert len(wanted) >= 5
    assert _ids(by_overlap(moved, tracks, 0, None)) == wanted


def _greedy(scores: NDArray[np.float64], least: float) -> dict[int, int]:
    """The best pair of all, then the best of what is left, one at a time."""
    left, pairs = scores.copy(), {}
    while left.size and left.max() >= least:
        row, column = np.unravel_index(left.argmax(), left.shape)
        pairs[int(row)] = int(column)
        left[row, :] = left[:, column] = -1
    return pairs


@pytest.mark.parametrize("seed", range(20))
def test_faces_that_cover_each_other_are_matched_best_pair_first(seed: int) -> None:
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 120, (8, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(40, 90, (8, 1))], axis=1).astype(np.float32)
    tracks = [_track(i + 1, box) for i, box in enumerate((boxes + rng.normal(0, 8, boxes.shape)).tolist())]
    scores = _overlaps(boxes, tracks)
    wanted = {row: column + 1 for row, column in _greedy(scores, MIN_IOU).items()}
    assert _ids(by_overlap(boxes, tracks, 0, None)) == wanted
    best = linear_sum_assignment(scores, maximize=True)
    got = sum(scores[row, track_id - 1] for row, track_id in wanted.items())
    assert got >= scores[best].sum() / 2  # what greedy matching guarantees


def test_looks_decide_between_faces_that_overlap_and_are_not_asked_otherwise() -> None:
    boxes = np.array([[0, 0, 60, 60], [20, 0, 80, 60]], np.float32)
    tracks = [_track(1, (3, 0, 63, 60)), _track(2, (17, 0, 77, 60))]
    asked = []

    def crossed(rows: list[int], tracks: Sequence[Track]) -> Likenesses:
        asked.append((rows, [track.track_id for track in tracks]))
        return np.array([[0.1, 0.9], [0.9, 0.1]])

    assert _ids(by_overlap(boxes, tracks, 0, None)) == {0: 1, 1: 2}
    assert _ids(by_overlap(boxes, tracks, 0, crossed)) == {0: 2, 1: 1}
    assert asked == [([0, 1], [1, 2])]
    apart = np.array([[0, 0, 60, 60], [300, 0, 360, 60]], np.float32)
    assert _ids(by_overlap(apart, [_track(1, (3, 0, 63, 60)), _track(2, (297, 0, 357, 60))], 0, crossed)) == {
        0: 1,
        1: 2,
    }
    assert len(asked) == 1


@pytest.mark.parametrize("nothing", ["tracks", "detections"])
def test_nothing_matches_nothing(nothing: str) -> None:
    tracks = [] if nothing == "tracks" else [_track(1, (0, 0, 9, 9))]
    boxes = np.zeros((0 if nothing == "detections" else 1, 4), np.float32)
    assert by_overlap(boxes, tracks, 0, None) == {}
    assert by_appearance({}, tracks, 0, lambda rows, known: np.ones((len(rows), len(known))), FRAME) == {}


HERE = (100.0, 100.0, 160.0, 160.0)


@pytest.mark.parametrize(
    ("box", "lost", "least"),
    [
        (HERE, _lost(1, HERE), NEAR_LIKENESS),
        ((128.0, 100.0, 188.0, 160.0), _lost(1, HERE), NEAR_LIKENESS),  # less than half a face away
        ((200.0, 100.0, 260.0, 160.0), _lost(1, HERE), FAR_LIKENESS),  # within reach of half a second
        ((600.0, 100.0, 660.0, 160.0), _lost(1, HERE), np.inf),  # farther than anybody goes in half a second
        ((100.0, 100.0, 220.0, 220.0), _lost(1, HERE), np.inf),  # twice as large
        ((600.0, 300.0, 720.0, 420.0), _lost(1, HERE, place_known=False), CUT_LIKENESS),  # after a cut: anywhere
    ],
)
def test_the_farther_a_lost_face_comes_back_the_more_it_must_look_alike(box: Box, lost: Track, least: float) -> None:
    for alike in (0.0, 0.34, 0.36, 0.69, 0.71, 0.84, 0.86, 1.0):
        found = by_appearance(
            {4: box}, [lost], SECOND // 2, lambda rows, tracks, alike=alike: np.array([[alike]]), FRAME
        )
        assert _ids(found) == ({4: 1} if alike >= least else {})


@pytest.mark.parametrize(
    ("left_at", "velocity", "back_at"),
    [
        ((20.0, 100.0, 80.0, 160.0), (-6e-7, 0.0), (-30.0, 100.0, 30.0, 160.0)),
        ((720.0, 100.0, 780.0, 160.0), (2e-6, 0.0), (765.0, 100.0, 825.0, 160.0)),
        ((300.0, 30.0, 360.0, 90.0), (0.0, -1e-6), (300.0, -25.0, 360.0, 35.0)),
        ((300.0, 400.0, 360.0, 460.0), (1e-7, 1e-6), (350.0, 450.0, 410.0, 510.0)),
    ],
    ids=["left", "right", "top", "bottom"],
)
def test_who_left_the_frame_is_expected_at_its_edge_and_must_look_alike(
    left_at: Box, velocity: tuple[float, float], back_at: Box
) -> None:
    gone = _lost(1, left_at)
    gone.clear = Sighting(left_at, velocity, 0)
    for alike in (0.5, FAR_LIKENESS - 0.01, FAR_LIKENESS + 0.01, 0.9):
        found = by_appearance(
            {0: back_at}, [gone], SECOND // 2, lambda rows, tracks, alike=alike: np.array([[alike]]), FRAME
        )
        assert _ids(found) == ({0: 1} if alike >= FAR_LIKENESS else {})


@pytest.mark.parametrize("seed", range(5))
def test_lost_faces_go_to_the_detections_that_look_most_like_them(seed: int) -> None:
    alike = np.random.default_rng(seed).uniform(0, 1, (4, 5))
    lost = [_lost(i + 1, HERE, place_known=False) for i in range(5)]
    found = by_appearance(dict.fromkeys(range(4), HERE), lost, SECOND // 2, lambda rows, tracks: alike, FRAME)
    assert _ids(found) == {row: column + 1 for row, column in _greedy(alike, CUT_LIKENESS).items()}


def test_only_the_latest_lost_faces_are_compared() -> None:
    lost = [_lost(i + 1, HERE, seen_ns=i) for i in range(3 * MAX_COMPARED)]
    compared: list[int] = []

    def likeness(rows: list[int], tracks: Sequence[Track]) -> Likenesses:
        compared.extend(track.track_id for track in tracks)
        return np.zeros((len(rows), len(tracks)))

    assert by_appearance({0: HERE}, lost, SECOND // 2, likeness, FRAME) == {}
    assert sorted(compared) == list(range(2 * MAX_COMPARED + 1, 3 * MAX_COMPARED + 1))
