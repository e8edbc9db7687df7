"""Ids stay with their faces."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ferserve.track import LOST_AFTER_NS, Tracker, iou_matrix
from ferserve.types import Detections

FRAME_NS = 33_000_000


def _box(x: float, y: float = 50, side: float = 40) -> list[float]:
    return [x, y, x + side, y + side]


def _detections(*boxes: list[float]) -> Detections:
    return Detections.from_boxes(np.array(boxes, np.float32).reshape(-1, 4))


def test_two_faces_that_pass_each_other_on_different_rows_keep_their_ids() -> None:
    tracker = Tracker()
    for i in range(30):
        found = _detections(_box(10 + 6 * i, y=20), _box(190 - 6 * i, y=75))
        if i % 2:  # the detector's order means nothing
            found = found.select(np.array([1, 0]))
        ids = tracker.update(found, i * FRAME_NS)
        assert sorted(ids.tolist()) == [1, 2]
        assert ids[int(found.xyxy[0, 1] != 20)] == 1


def test_a_face_missed_for_some_frames_keeps_its_id_and_a_lost_one_does_not() -> None:
    tracker = Tracker()
    assert tracker.update(_detections(_box(10)), 0).tolist() == [1]
    assert tracker.update(_detections(), FRAME_NS).tolist() == []
    assert tracker.update(_detections(_box(14)), 3 * FRAME_NS).tolist() == [1]
    assert tracker.update(_detections(_box(14)), 3 * FRAME_NS + LOST_AFTER_NS + 1).tolist() == [2]


def test_prediction_moves_on_with_the_face() -> None:
    tracker = Tracker()
    for i in range(8):
        tracker.update(_detections(_box(10 + 4 * i)), i * FRAME_NS)
    predicted, ids = tracker.predict(8 * FRAME_NS)
    assert ids.tolist() == [1]
    np.testing.assert_allclose(predicted.xyxy[0], _box(10 + 4 * 8), atol=1)
    gone, _ = tracker.predict(7 * FRAME_NS + LOST_AFTER_NS + 1)
    assert len(gone) == 0


def test_landmarks_move_with_the_predicted_box() -> None:
    tracker = Tracker()
    for i in range(8):
        marks = np.full((1, 5, 2), 20 + 4 * i, np.float32)
        boxes = np.array([_box(10 + 4 * i)], np.float32)
        tracker.update(Detections(boxes, np.ones(1, np.float32), marks), i * FRAME_NS)
    predicted, _ = tracker.predict(8 * FRAME_NS)
    assert predicted.landmarks is not None
    np.testing.assert_allclose(predicted.landmarks[0, :, 0], 20 + 4 * 8, atol=1)


def _iou_of_pixels(a: NDArray[np.int64], b: NDArray[np.int64]) -> float:
    canvas = np.zeros((2, 24, 24), bool)
    for layer, (x0, y0, x1, y1) in zip(canvas, (a, b), strict=True):
        layer[y0:y1, x0:x1] = True
    return float((canvas[0] & canvas[1]).sum() / (canvas[0] | canvas[1]).sum())


_edges = st.lists(st.integers(0, 24), min_size=2, max_size=2, unique=True).map(sorted)


@given(st.tuples(_edges, _edges), st.tuples(_edges, _edges))
def test_iou_counts_pixels(a: tuple[list[int], list[int]], b: tuple[list[int], list[int]]) -> None:
    first, second = (np.array([x[0], y[0], x[1], y[1]]) for x, y in (a, b))
    got = iou_matrix(first[None].astype(np.float32), second[None].astype(np.float32))[0, 0]
    assert got == pytest.approx(_iou_of_pixels(first, second), abs=1e-6)
