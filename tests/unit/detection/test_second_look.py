"""Doubtful faces of single pictures: what a second look keeps, what it drops, and that a least score only filters."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

from ferserve.detection.base import FaceDetector
from ferserve.detection.factory import open_detector
from ferserve.detection.second_look import CONFIRMING_SCORE, TILE_PX, confirm
from ferserve.labels import MIN_FACE_SCORE
from ferserve.types import Detections
from tests.builders import astronaut

Image = NDArray[np.uint8]
LUMA: Image = cv2.cvtColor(astronaut(), cv2.COLOR_BGR2GRAY)


class Scripted:
    """A detector that scores its looks one after the other; it sees the face where a tile has it, or beside."""

    name, runs_on = "scripted", "nothing"

    def __init__(self, scores: Sequence[float], *, wants_color: bool = False, beside: bool = False) -> None:
        self.wants_color = wants_color
        self.seen: list[Image] = []
        self._scores, self._beside = list(scores), beside

    def detect(self, image: Image, *, side_px: int, min_score: float) -> Detections:
        self.seen.append(image.copy())
        score = np.array([self._scores[len(self.seen) - 1]], np.float32)
        box = np.array([[32, 32, 96, 96]], np.float32) + (40 if self._beside else 3)
        return Detections(box.astype(np.float32), score).select(score >= min_score)


def _found(*scores: float) -> Detections:
    boxes = [[40 * i, 10, 40 * i + 30, 40] for i in range(len(scores))]
    return Detections(np.array(boxes, np.float32), np.array(scores, np.float32))


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    detector = open_detector("face-lite")()
    assert detector is not None
    return detector


def _turned(angle: float) -> Image:
    turn = cv2.getRotationMatrix2D((222, 120), angle, 1)
    return np.asarray(cv2.warpAffine(LUMA, turn, (512, 512), borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _shrunk(scale: float) -> Image:
    return np.asarray(cv2.resize(LUMA, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


FACES = {
    "blurred": (np.asarray(cv2.GaussianBlur(LUMA, (0, 0), 7), np.uint8), (225, 120)),
    "turned by 50 degrees": (_turned(-50), (225, 110)),
    "cut off at the forehead": (np.ascontiguousarray(LUMA[110:]), (225, 33)),
}
OTHERS = {
    "a badge": _shrunk(0.18),
    "a badge, smaller": _shrunk(0.14),
    "a sleeve": _turned(60),
    "a part of a coin": np.asarray(cv2.resize(data.coins(), None, fx=0.75, fy=0.75, interpolation=cv2.INTER_AREA)),
    "gravel": np.ascontiguousarray(data.gravel()[::-1]),
}


@pytest.mark.parametrize("what", FACES)
def test_a_face_that_is_hard_to_see_is_confirmed(detector: FaceDetector, what: str) -> None:
    luma, (x, y) = FACES[what]
    found = detector.detect(luma, side_px=0, min_score=0.5)
    (score,) = found.score.tolist()
    assert score < MIN_FACE_SCORE
    kept = confirm(detector, luma, found, 0.5)
    assert kept.score.tolist() == [score]
    x0, y0, x1, y1 = kept.xyxy[0]
    assert x0 < x < x1
    assert y0 < y < y1


@pytest.mark.parametrize("what", OTHERS)
def test_what_is_no_face_is_dropped(detector: FaceDetector, what: str) -> None:
    found = detector.detect(OTHERS[what], side_px=0, min_score=0.5)
    doubtful = int((found.score < MIN_FACE_SCORE).sum())
    assert doubtful
    kept = confirm(detector, OTHERS[what], found, 0.5)
    assert len(kept) == len(found) - doubtful


@pytest.mark.parametrize("luma", [OTHERS["a part of a coin"], data.coins(), LUMA, _shrunk(0.18), FACES["blurred"][0]])
@pytest.mark.parametrize("least", [0.1, 0.3, 0.45, 0.5, 0.6, 0.64, 0.7, 1.0])
def test_the_least_score_filters_and_changes_no_other_face(detector: FaceDetector, luma: Image, least: float) -> None:
    def answer(min_score: float) -> Detections:
        return confirm(detector, luma, detector.detect(luma, side_px=0, min_score=min_score), min_score)

    everything, some = answer(0.05), answer(least)
    assert (np.diff(everything.score) <= 0).all()
    wanted = everything.select(everything.score >= least)
    np.testing.assert_array_equal(some.score, wanted.score)
    np.testing.assert_allclose(some.xyxy, wanted.xyxy, atol=1e-3)


def test_only_doubtful_faces_cost_a_look() -> None:
    sure = _found(0.9, MIN_FACE_SCORE)
    nobody = Scripted([])
    assert confirm(nobody, LUMA, sure, 0.5) is sure
    one = Scripted([0.9])
    assert confirm(one, LUMA, _found(0.9, 0.64, 0.66), 0.5).score.tolist() == pytest.approx([0.9, 0.66, 0.64])
    assert [tile.shape for tile in one.seen] == [(TILE_PX, TILE_PX)]


@pytest.mark.parametrize(
    ("first", "second", "score"),
    [(0.6, 0.9, 0.6), (0.6, CONFIRMING_SCORE, 0.6), (0.6, 0.39, 0.39), (0.3, 0.35, 0.3), (0.3, 0.1, 0.1), (0.3, 0, 0)],
)
def test_a_face_keeps_its_score_if_the_second_look_finds_it(first: float, second: float, score: float) -> None:
    (came,) = confirm(Scripted([second]), LUMA, _found(first), 0.0).score.tolist()
    assert came == pytest.approx(score)
    assert len(confirm(Scripted([second]), LUMA, _found(first), 0.3)) == (score >= 0.3)


def test_a_face_beside_it_confirms_nothing() -> None:
    assert len(confirm(Scripted([0.9], beside=True), LUMA, _found(0.6), 0.5)) == 0


def test_rows_and_landmarks_stay_together() -> None:
    found = _found(0.8, 0.62, 0.6, 0.55)
    marks = np.arange(4 * 10, dtype=np.float32).reshape(4, 5, 2)
    kept = confirm(Scripted([0.45, 0.2, 0.9]), LUMA, Detections(found.xyxy, found.score, marks), 0.1)
    assert kept.landmarks is not None
    assert kept.score.tolist() == pytest.approx([0.8, 0.62, 0.55, 0.2])
    assert kept.xyxy[:, 0].tolist() == [0, 40, 120, 80]
    assert kept.landmarks[:, 0, 0].tolist() == [0, 10, 30, 20]


def test_a_detector_in_colour_looks_in_colour() -> None:
    """The tile is twice as wide as the face, and what lies outside of the picture repeats its edge."""
    picture = np.zeros((60, 80, 3), np.uint8)
    picture[:, :40], picture[:, 40:] = (10, 120, 240), (250, 60, 5)
    seen = Scripted([0.9], wants_color=True)
    box = np.array([[20, 10, 60, 50]], np.float32)
    confirm(seen, picture, Detections(box, np.array([0.6], np.float32)), 0.5)
    (tile,) = seen.seen
    assert tile.shape == (TILE_PX, TILE_PX, 3)
    assert (tile[:, :60] == (10, 120, 240)).all()
    assert (tile[:, 68:] == (250, 60, 5)).all()
