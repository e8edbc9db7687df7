"""Ids stay with their faces."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

from ferserve.pipeline import square_crops
from ferserve.tracking.track import MAX_MISSES
from ferserve.tracking.tracker import MAX_LOST_NS, MAX_LOST_TRACKS, NEW_TRACK_SCORE, Tracker
from ferserve.types import Detections

FRAME_NS = 33_000_000
GREY: NDArray[np.uint8] = cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2GRAY)
FACE = np.array([177, 66, 272, 161], np.float32)  # the astronaut's face


def _box(x: float, y: float = 50, side: float = 40) -> list[float]:
    return [x, y, x + side, y + side]


def _detections(*boxes: list[float]) -> Detections:
    return Detections.from_boxes(np.array(boxes, np.float32).reshape(-1, 4))


def _moved(dx: float, dy: float, scale: float = 1.0, light: float = 1.0) -> NDArray[np.uint8]:
    """The astronaut, shifted by (dx, dy) px, scaled and relit."""
    move = np.array([[scale, 0, dx], [0, scale, dy]], np.float32)
    moved = cv2.warpAffine(GREY, move, GREY.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
    return np.clip(moved * light, 0, 255).astype(np.uint8)


@pytest.fixture
def tracker() -> Tracker:
    return Tracker(square_crops)


def test_two_faces_that_pass_each_other_on_different_rows_keep_their_ids(tracker: Tracker) -> None:
    for i in range(30):
        found = _detections(_box(10 + 6 * i, y=20), _box(190 - 6 * i, y=75))
        if i % 2:  # the order of detections is arbitrary
            found = found.select(np.array([1, 0]))
        ids = tracker.update(found, i * FRAME_NS).track_ids
        assert sorted(ids.tolist()) == [1, 2]
        assert ids[int(found.xyxy[0, 1] != 20)] == 1


def test_a_face_that_comes_back_gets_its_id_back_and_after_a_while_a_new_one(tracker: Tracker) -> None:
    assert tracker.update(_detections(_box(10)), 0).track_ids.tolist() == [1]
    assert tracker.update(_detections(), FRAME_NS).track_ids.tolist() == []
    assert tracker.update(_detections(_box(14)), 3 * FRAME_NS).track_ids.tolist() == [1]
    assert tracker.update(_detections(), 4 * FRAME_NS).track_ids.tolist() == []
    assert tracker.update(_detections(), 5 * FRAME_NS + MAX_LOST_NS).track_ids.tolist() == []
    assert tracker.update(_detections(_box(14)), 6 * FRAME_NS + MAX_LOST_NS).track_ids.tolist() == [2]


def test_a_followed_face_stays_on_the_face(tracker: Tracker) -> None:
    tracker.update(Detections.from_boxes(FACE[None]), 0, GREY)
    for i in range(1, 6):
        dx, dy = 7.3 * i, -3.1 * i
        tracked = tracker.follow(_moved(dx, dy, light=1 - 0.05 * i), i * FRAME_NS)
        assert tracked.track_ids.tolist() == [1]
        assert not tracked.unsure
        np.testing.assert_allclose(tracked.detections.xyxy[0], FACE + np.array([dx, dy] * 2), atol=1.5)


@pytest.mark.parametrize("pace", [1.03, 0.97])
def test_an_approaching_face_grows_between_two_detection_passes(pace: float, tracker: Tracker) -> None:
    middle = (FACE[:2] + FACE[2:]) / 2
    marks = np.tile(FACE[:2], (1, 5, 1))

    def at(frame: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        scale = pace**frame
        dx, dy = middle * (1 - scale)
        return _moved(dx, dy, scale), FACE * scale + np.tile([dx, dy], 2).astype(np.float32)

    for frame in range(12):
        picture, box = at(frame)
        found = Detections(box[None], np.ones(1, np.float32), marks)
        if frame % 4 == 0:
            tracked = tracker.update(found, frame * FRAME_NS, picture)
        else:
            tracked = tracker.follow(picture, frame * FRAME_NS)
        if frame > 4:  # from the second pass on; a box of constant size is 15 % off by the end
            assert np.diff(tracked.detections.xyxy[0, ::2]) == pytest.approx(np.diff(box[::2]), rel=0.075)


def test_landmarks_move_with_the_followed_box(tracker: Tracker) -> None:
    marks = np.full((1, 5, 2), 200, np.float32)
    tracker.update(Detections(FACE[None], np.ones(1, np.float32), marks), 0, GREY)
    tracked = tracker.follow(_moved(9, 4), FRAME_NS)
    assert tracked.detections.landmarks is not None
    np.testing.assert_allclose(tracked.detections.landmarks[0], np.tile([209, 204], (5, 1)), atol=1)


def test_a_face_that_vanished_is_unsure_and_hidden_after_two_misses(tracker: Tracker) -> None:
    tracker.update(Detections.from_boxes(FACE[None]), 0, GREY)
    empty = np.full_like(GREY, 90)
    assert tracker.follow(empty, FRAME_NS).unsure
    missed = tracker.update(Detections.empty(), 2 * FRAME_NS, empty)
    assert missed.track_ids.tolist() == []


def test_a_face_that_the_detector_missed_once_is_still_followed(tracker: Tracker) -> None:
    tracker.update(Detections.from_boxes(FACE[None]), 0, GREY)
    for miss in range(1, MAX_MISSES + 1):
        tracked = tracker.update(Detections.empty(), miss * FRAME_NS, GREY)
        assert tracked.track_ids.tolist() == ([1] if miss < MAX_MISSES else [])
    assert tracker.update(Detections.from_boxes(FACE[None]), 9 * FRAME_NS, GREY).track_ids.tolist() == [1]


def test_a_face_that_leaves_the_frame_is_not_followed_outside(tracker: Tracker) -> None:
    tracker.update(Detections.from_boxes(FACE[None]), 0, GREY)
    for i in range(1, 12):
        tracked = tracker.follow(_moved(-30.0 * i, 0), i * FRAME_NS)
        for box in tracked.detections.xyxy:
            assert box[2] > 0
    assert tracked.unsure


def test_times_without_meaning_do_not_tear_tracks_apart(tracker: Tracker) -> None:
    for i in range(10):  # a frame number used as the time in ns, and a face that moves
        assert tracker.update(_detections(_box(10 + 5 * i)), i).track_ids.tolist() == [1]


def test_a_view_of_another_size_is_the_same_view(tracker: Tracker) -> None:
    height, width = GREY.shape
    marks = np.full((1, 5, 2), 200, np.float32)
    tracker.set_frame_size(width, height)
    tracker.update(Detections(FACE[None], np.ones(1, np.float32), marks), 0, GREY)
    tracker.set_frame_size(width // 2, height // 4)
    small = cv2.resize(GREY, (width // 2, height // 4), interpolation=cv2.INTER_AREA)
    tracked = tracker.follow(small, FRAME_NS)
    assert tracked.track_ids.tolist() == [1]
    np.testing.assert_allclose(tracked.detections.xyxy[0], FACE * [0.5, 0.25, 0.5, 0.25], atol=2)
    assert tracked.detections.landmarks is not None
    np.testing.assert_allclose(tracked.detections.landmarks[0], np.tile([100, 50], (5, 1)), atol=2)


def test_what_lies_outside_of_a_frame_is_not_shown(tracker: Tracker) -> None:
    tracker.update(_detections(_box(300)), 0)
    assert tracker.follow(GREY[:100, :100], FRAME_NS).track_ids.tolist() == []


def _doubtful(*boxes: NDArray[np.float32]) -> Detections:
    return Detections(np.array(boxes, np.float32), np.full(len(boxes), NEW_TRACK_SCORE - 0.05, np.float32))


def test_what_is_doubtful_must_be_found_twice_in_a_row(tracker: Tracker) -> None:
    once = tracker.update(_doubtful(FACE), 0, GREY)
    assert once.track_ids.tolist() == []
    assert once.unsure  # so that the second pass comes soon
    assert tracker.follow(GREY, FRAME_NS).track_ids.tolist() == []
    assert tracker.update(Detections.empty(), 2 * FRAME_NS, GREY).track_ids.tolist() == []
    assert tracker.update(_doubtful(FACE), 3 * FRAME_NS, GREY).track_ids.tolist() == []
    twice = tracker.update(_doubtful(FACE + np.float32(4)), 5 * FRAME_NS, GREY)
    assert twice.track_ids.tolist() == [1]
    assert not twice.unsure
    assert tracker.follow(GREY, 6 * FRAME_NS).track_ids.tolist() == [1]


def test_a_face_that_is_known_may_become_doubtful(tracker: Tracker) -> None:
    tracker.update(Detections.from_boxes(FACE[None]), 0, GREY)
    assert tracker.update(_doubtful(FACE), FRAME_NS, GREY).track_ids.tolist() == [1]


def test_the_boxes_of_a_client_are_not_doubted(tracker: Tracker) -> None:
    assert tracker.update(_doubtful(FACE), 0).track_ids.tolist() == [1]


def test_the_memory_is_bounded_for_any_input(tracker: Tracker) -> None:
    for frame in range(40):
        tracker.update(_detections(*(_box(100 * i, y=50 + 41 * frame) for i in range(20))), frame)
    assert len(tracker.known_ids) == 20 + MAX_LOST_TRACKS
    assert min(tracker.known_ids) > 700
