"""Faces as rows, and what the teacher makes of several looks."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ferserve.vision.geometry import iou_matrix
from tests.training.face_lite.sets import make_photographs
from training.face_lite.faces import Faces
from training.face_lite.photographs import Photograph
from training.face_lite.teacher import Teacher, fuse, merge_drawn, seen_landmarks, unmirror


@pytest.fixture(scope="module")
def photographs() -> list[Photograph]:
    return make_photographs()


def test_rows_come_back_as_they_were(photographs: list[Photograph]) -> None:
    rows = photographs[0].faces.to_rows()
    np.testing.assert_array_equal(Faces.from_rows(rows).to_rows(), rows)


def test_overlap_of_known_boxes() -> None:
    a = np.array([[0, 0, 2, 2]], np.float32)
    b = np.array([[0, 0, 2, 2], [1, 0, 3, 2], [2, 0, 4, 2]], np.float32)
    np.testing.assert_allclose(iou_matrix(a, b), [[1, 1 / 3, 0]])


def test_views_that_agree_become_one_face_and_a_lone_one_is_ignored() -> None:
    row = np.array([10, 10, 30, 30, *range(10), 0.9], np.float32)
    near, far = row + 0, row + 0
    near[:4] += 2
    far[:4] += 100
    faces = fuse(np.stack([row, near, far]))
    np.testing.assert_array_equal(faces.ignore, [False, True])
    np.testing.assert_allclose(faces.xyxy[0], [11, 11, 31, 31])


def test_a_mirrored_row_mirrored_again_is_the_row() -> None:
    row = np.array([[10, 12, 30, 40, 15, 20, 25, 20, 20, 28, 16, 34, 24, 34, 0.9]], np.float32)
    np.testing.assert_allclose(unmirror(unmirror(row, 100), 100), row)
    np.testing.assert_allclose(unmirror(row, 100)[0, :6], [70, 12, 90, 40, 75, 20])


def test_drawn_boxes_make_the_teacher_sure_and_add_what_it_missed() -> None:
    taught = fuse(np.array([[10, 10, 30, 30, *range(10), 0.4]] * 2, np.float32))
    drawn = np.array([[11, 9, 31, 29], [60, 60, 70, 70]], np.float32)
    faces = merge_drawn(drawn, taught)
    np.testing.assert_array_equal(faces.ignore, [False, False])
    np.testing.assert_allclose(faces.xyxy, [[10, 10, 30, 30], [60, 60, 70, 70]])
    assert np.isnan(faces.landmarks[1]).all()


class _Told(Teacher):
    """A teacher that answers the same rows to every picture."""

    def __init__(self, rows: NDArray[np.float32]) -> None:
        self._rows = rows

    def one_pass(self, bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self._rows


def test_a_look_moves_the_landmarks_of_the_faces_that_it_finds() -> None:
    rows = np.zeros((3, 16), np.float32)
    rows[:, :4] = [(10, 10, 30, 30), (50, 50, 70, 70), (80, 10, 100, 30)]
    rows[2, 4:6] = np.nan
    faces = Faces.from_rows(rows)
    seen = np.zeros((2, 15), np.float32)
    seen[:, :4], seen[:, 4:14] = rows[[0, 2], :4] + 1, 8
    luma = np.zeros((128, 128), np.uint8)
    moved = seen_landmarks(_Told(seen), luma, faces, 0.25).landmarks
    np.testing.assert_array_equal(moved[0], np.full((5, 2), 2))
    np.testing.assert_array_equal(moved[1], np.zeros((5, 2)))
    assert np.isnan(moved[2, 0]).all()
    np.testing.assert_array_equal(moved[2, 1:], np.full((4, 2), 2))
    assert seen_landmarks(_Told(seen[:0]), luma, faces, 0.25) is faces
