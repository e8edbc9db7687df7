"""Overlaps against boxes that are painted and counted pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ferserve.vision.geometry import iou_matrix

SIDE_PX = 24
Box = tuple[int, int, int, int]
EDGE = st.integers(0, SIDE_PX)
BOXES = st.lists(st.tuples(EDGE, EDGE, EDGE, EDGE), max_size=6)


def _painted(box: Box) -> NDArray[np.bool_]:
    """The pixels of a half-open box; none of a box that is turned inside out."""
    x0, y0, x1, y1 = box
    mask = np.zeros((SIDE_PX, SIDE_PX), bool)
    mask[y0:y1, x0:x1] = True
    return mask


def _counted(a: Box, b: Box) -> float:
    first, second = _painted(a), _painted(b)
    union = (first | second).sum()
    return float((first & second).sum() / union) if union else 0.0


def _array(boxes: list[Box]) -> NDArray[np.float32]:
    return np.array(boxes, np.float32).reshape(-1, 4)


@given(BOXES, BOXES)
def test_overlaps_are_those_of_counted_pixels(a: list[Box], b: list[Box]) -> None:
    overlaps = iou_matrix(_array(a), _array(b))
    assert overlaps.dtype == np.float32
    assert overlaps.shape == (len(a), len(b))
    for i, first in enumerate(a):
        for j, second in enumerate(b):
            assert overlaps[i, j] == pytest.approx(_counted(first, second), abs=1e-6)


@given(BOXES, BOXES, st.floats(0.01, 100), st.integers(-500, 500))
def test_neither_order_nor_place_nor_scale_matters(a: list[Box], b: list[Box], scale: float, shift: int) -> None:
    overlaps = iou_matrix(_array(a), _array(b))
    np.testing.assert_array_equal(overlaps, iou_matrix(_array(b), _array(a)).T)
    np.testing.assert_array_equal(overlaps, iou_matrix(_array(a) + shift, _array(b) + shift))
    np.testing.assert_allclose(overlaps, iou_matrix(_array(a) * scale, _array(b) * scale), atol=1e-4)


def test_boxes_that_only_touch_do_not_overlap() -> None:
    box = np.float32([[0, 0, 10, 10]])
    around = np.float32([[10, 0, 20, 10], [0, 10, 10, 20], [-10, 0, 0, 10], [0, -10, 10, 0]])
    np.testing.assert_array_equal(iou_matrix(box, around), np.zeros((1, 4)))
