"""The choice of faces against plain Python: sort by area, cut each box by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ferserve.errors import InvalidFrameError
from ferserve.models.spec import InputSpec
from ferserve.types import Detections
from ferserve.vision.picture import Picture
from ferserve.vision.selection import client_boxes, largest_rows, require_at_most, require_crop, rows_to_classify

Box = tuple[int, int, int, int]
FRAME = Picture(np.zeros((60, 80), np.uint8))
CUTTING = InputSpec(8, 8, margin=-0.25, square=False)  # a quarter of the longer side goes on every side
EDGE, SIDE = st.integers(-20, 100), st.integers(1, 50)
BOXES = st.lists(st.tuples(EDGE, EDGE, SIDE, SIDE).map(lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])), max_size=8)


def _array(boxes: list[Box]) -> NDArray[np.float32]:
    return np.array(boxes, np.float32).reshape(-1, 4)


def _picked(rows: NDArray[np.intp] | slice, count: int) -> list[int]:
    return np.arange(count)[rows].tolist()


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def _largest(boxes: list[Box], rows: list[int], count: int) -> list[int]:
    return sorted(sorted(rows, key=lambda i: (-_area(boxes[i]), i))[:count])


def _is_cropped_to_nothing(box: Box) -> bool:
    width, height = box[2] - box[0], box[3] - box[1]
    return min(width, height) - 2 * 0.25 * max(width, height) <= 0


@given(BOXES, st.integers(0, 9))
def test_the_largest_boxes_keep_their_order(boxes: list[Box], count: int) -> None:
    expected = _largest(boxes, list(range(len(boxes))), count)
    assert _picked(largest_rows(_array(boxes), count), len(boxes)) == expected


@given(BOXES, st.integers(1, 9))
def test_a_face_of_which_no_crop_is_left_takes_no_place(boxes: list[Box], max_faces: int) -> None:
    detections = Detections.from_boxes(_array(boxes))
    whole = [i for i, box in enumerate(boxes) if not _is_cropped_to_nothing(box)]
    rows = rows_to_classify(detections, CUTTING, max_faces)
    assert _picked(rows, len(boxes)) == _largest(boxes, whole, max_faces)


@pytest.mark.parametrize(
    "spec", [InputSpec(8, 8), InputSpec(8, 8, margin=-0.4), InputSpec(8, 8, margin=0.2, square=False)]
)
def test_other_margins_leave_a_crop_of_every_box(spec: InputSpec) -> None:
    thin = Detections.from_boxes(_array([(0, 0, 50, 1), (0, 0, 1, 50), (0, 0, 2, 2)]))
    assert _picked(rows_to_classify(thin, spec, 3), 3) == [0, 1, 2]
    assert _picked(rows_to_classify(thin, spec, 2), 3) == [0, 1]
    require_crop(thin.xyxy, spec, "boxes")


@given(BOXES)
def test_a_box_of_which_no_crop_is_left_is_refused(boxes: list[Box]) -> None:
    if not any(map(_is_cropped_to_nothing, boxes)):
        require_crop(_array(boxes), CUTTING, "boxes")
        return
    with pytest.raises(InvalidFrameError, match=r"crops\.images\[2\] must keep a width and a height after the model's"):
        require_crop(_array(boxes), CUTTING, "crops.images[2]")


def test_the_narrowest_box_is_named() -> None:
    boxes = _array([(0, 0, 10, 4), (0, 0, 30, 4), (0, 0, 10, 9)])
    with pytest.raises(InvalidFrameError, match=r"margin of -0\.25, got 30x4 px"):
        require_crop(boxes, CUTTING, "boxes")


@given(BOXES)
def test_boxes_of_a_client_come_back_with_full_score_if_each_touches_the_frame(boxes: list[Box]) -> None:
    inside = np.zeros((200, 200), bool)
    inside[20:80, 20:100] = True  # the frame, in coordinates that are moved by 20 px
    touches = [bool(inside[max(y0 + 20, 0) : y1 + 20, max(x0 + 20, 0) : x1 + 20].any()) for x0, y0, x1, y1 in boxes]
    if all(touches):
        detections = client_boxes(_array(boxes), FRAME, 8, 10**6)
        np.testing.assert_array_equal(detections.xyxy, _array(boxes))
        assert detections.score.tolist() == [1.0] * len(boxes)
        assert detections.landmarks is None
        return
    with pytest.raises(InvalidFrameError) as caught:
        client_boxes(_array(boxes), FRAME, 8, 10**6)
    assert f"boxes[{touches.index(False)}] must overlap the frame of 80x60 px" in str(caught.value)


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ((5, 0, 5, 9), "boxes[1] must be finite with x0 < x1 and y0 < y1"),
        ((0, 9, 5, 2), "boxes[1] must be finite with x0 < x1 and y0 < y1"),
        ((0, 0, float("nan"), 9), "boxes[1] must be finite"),
        ((float("-inf"), 0, 5, 9), "boxes[1] must be finite"),
        ((0, 0, 2e6, 9), "at most 1e+06 px away"),
    ],
)
def test_a_box_that_is_no_box_is_named(box: tuple[float, float, float, float], message: str) -> None:
    with pytest.raises(InvalidFrameError) as caught:
        client_boxes(np.float32([(0, 0, 9, 9), box]), FRAME, 8, 10**6)
    assert message in str(caught.value)


def test_more_boxes_than_allowed_are_refused_before_any_is_looked_at() -> None:
    with pytest.raises(InvalidFrameError, match=r"boxes must be at most 2, got 3; send them in parts"):
        client_boxes(np.full((3, 4), np.nan, np.float32), FRAME, 2, 10**6)
    require_at_most(2, 2, "crops")


def test_boxes_that_hold_each_pixel_many_times_are_refused() -> None:
    whole = (0, 0, FRAME.width, FRAME.height)
    limit = FRAME.width * FRAME.height
    assert len(client_boxes(_array([whole] * 4), FRAME, 8, limit)) == 4
    far = (-(10**5), -(10**5), 10**5, 10**5)  # only what lies within the frame counts
    assert len(client_boxes(_array([far] * 4), FRAME, 8, limit)) == 4
    with pytest.raises(InvalidFrameError, match=r"boxes must hold at most \d+ px together .*, got more in the first 5"):
        client_boxes(_array([whole] * 5), FRAME, 8, limit)
