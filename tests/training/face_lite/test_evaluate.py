"""Figures of a detector, on cases counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ferserve.types import Detections
from tests.training.face_lite.sets import make_photographs
from training.face_lite.evaluate import Report, evaluate_detector, match_faces, operating_point, shrink
from training.face_lite.faces import Faces
from training.face_lite.photographs import Photograph


@pytest.fixture(scope="module")
def photographs() -> list[Photograph]:
    return make_photographs()


def _found(boxes: list[list[float]], scores: list[float]) -> Detections:
    landmarks = np.zeros((len(boxes), 5, 2), np.float32)
    return Detections(np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32), landmarks)


def _truth(boxes: list[list[float]], ignore: list[bool]) -> Faces:
    rows = np.zeros((len(boxes), 16), np.float32)
    rows[:, :4], rows[:, 14], rows[:, 15] = boxes, 1, ignore
    return Faces.from_rows(rows)


def test_figures_of_a_case_counted_by_hand() -> None:
    truth = _truth([[0, 0, 30, 30], [50, 50, 70, 70], [100, 0, 130, 30]], [False, False, True])
    found = _found([[0, 0, 30, 30], [1, 1, 31, 31], [100, 0, 130, 30], [200, 0, 240, 40]], [0.9, 0.8, 0.95, 0.6])
    report = Report([match_faces(found, truth)])
    assert report.recall(24) == (1.0, 1)  # the face of 30 px
    assert report.recall(12, 24) == (0.0, 1)  # the face of 20 px
    assert report.precision() == (1 / 3, 3)  # one face, its double, one wrong; the unclear one counts nothing
    assert report.precision(min_score=0.85) == (1.0, 1)
    assert report.average_precision() == pytest.approx(0.5)  # half of the faces, found before all that is wrong


def test_landmark_error_is_in_distances_of_the_eyes() -> None:
    truth = _truth([[0, 0, 40, 40]], [False])
    truth.landmarks[0] = [(10, 10), (30, 10), (20, 20), (12, 30), (28, 30)]
    found = _found([[0, 0, 40, 40]], [0.9])
    assert found.landmarks is not None
    found.landmarks[0] = truth.landmarks[0] + (0, 1)
    assert Report([match_faces(found, truth)]).landmark_error() == pytest.approx(1 / 20)


def test_shrinking_takes_the_faces_along(photographs: list[Photograph]) -> None:
    image, faces = shrink(photographs[0].luma, photographs[0].faces, 60)
    assert image.shape == (50, 60)
    np.testing.assert_allclose(faces.xyxy, photographs[0].faces.xyxy / 2)
    same, _ = shrink(photographs[0].luma, photographs[0].faces, 500)
    assert same.shape == (100, 120)


def test_a_detector_that_answers_the_truth_is_perfect(photographs: list[Photograph]) -> None:
    answers = iter([Detections(p.faces.xyxy, p.faces.score, p.faces.landmarks) for p in photographs])
    report = evaluate_detector(lambda image: next(answers), [(p.luma, p.faces) for p in photographs])
    assert report.recall()[0] == report.precision()[0] == report.average_precision() == 1
    assert report.landmark_error() == 0


def test_the_operating_point_is_the_least_score_that_is_precise_enough() -> None:
    truth = _truth([[0, 0, 30, 30]], [False])
    found = _found([[0, 0, 30, 30], [60, 0, 90, 30]], [0.9, 0.6])
    report = Report([match_faces(found, truth)])
    assert operating_point(report, precision=0.9) == pytest.approx(0.61, abs=0.011)
    assert operating_point(report, precision=0.4) == pytest.approx(0.2)
