"""The tools behind the model card, with detectors whose answers are known."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

from ferserve.detection.factory import open_face_lite
from ferserve.detection.second_look import second_scores
from ferserve.models.store import BUNDLED_DIR
from ferserve.types import Detections
from tests.builders import ASTRONAUT_FACE
from training.face_lite.evaluate import Report, match_faces
from training.face_lite.faces import Faces
from training.face_lite.photographs import Photograph
from training.face_lite.reports.clips import jitter, longest_loss
from training.face_lite.reports.gallery import FOUND, ROWS, TILE, gallery
from training.face_lite.reports.references import marked, picture_sets, placed, placed_pictures
from training.face_lite.reports.report import table
from training.face_lite.reports.second_look import doubts, table_row, whole_look
from training.face_lite.teacher import Teacher

Image = NDArray[np.uint8]
BOX = np.array([[40, 30, 100, 90]], np.float32)


class Scripted:
    """A detector that answers what it is told, picture by picture."""

    name = "scripted"
    wants_color = False

    def __init__(self, answer: Callable[[int, Image], NDArray[np.float32]]) -> None:
        self._answer = answer
        self._count = -1

    def detect(self, image: Image, *, side_px: int, min_score: float) -> Detections:
        self._count += 1
        xyxy = self._answer(self._count, image)
        return Detections(xyxy, np.ones(len(xyxy), np.float32))


def test_the_longest_loss_is_counted_in_frames() -> None:
    lost = {2, 5, 6, 7}
    ours = Scripted(lambda i, image: BOX[:0] if i in lost else BOX + 2)
    theirs = Scripted(lambda i, image: BOX)
    frames = [np.zeros((120, 160, 3), np.uint8)] * 10
    assert longest_loss(ours, theirs, frames) == (3, 4, 10)


def test_frames_without_a_face_are_no_loss() -> None:
    nobody = Scripted(lambda i, image: BOX[:0])
    assert longest_loss(nobody, nobody, [np.zeros((120, 160, 3), np.uint8)] * 3) == (0, 0, 0)


def test_jitter_of_a_box_that_alternates() -> None:
    shaking = Scripted(lambda i, image: BOX + (3 if i % 2 else -3))
    assert jitter(shaking, np.zeros((240, 320), np.uint8), sigma=1.0, count=20) == pytest.approx(3 / 60)
    assert np.isnan(jitter(Scripted(lambda i, image: BOX[:0]), np.zeros((240, 320), np.uint8), 1.0, count=5))


def test_the_table_has_a_line_for_each_detector() -> None:
    rows = np.zeros((1, 16), np.float32)
    rows[0, :4], rows[0, 14] = BOX, 1
    report = Report([match_faces(Detections(BOX, np.ones(1, np.float32)), Faces.from_rows(rows))])
    lines = table([("one", report), ("two", report)]).splitlines()
    assert len(lines) == 4
    assert lines[2] == "| one | 1.000 of 1 |  | 1.000 of 1 | 1.000 of 1 | 1.000 |  |"
    assert table([("none", Report([match_faces(Detections.empty(), Faces.empty())]))]).endswith(
        "| none |  |  |  |  |  |  |"
    )


def test_a_second_look_is_counted_by_what_somebody_drew(tmp_path: Path) -> None:
    luma = cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2GRAY)
    cv2.imwrite(str(tmp_path / "face.png"), cv2.GaussianBlur(luma, (0, 0), 7))
    cv2.imwrite(str(tmp_path / "badge.png"), cv2.resize(luma, None, fx=0.18, fy=0.18, interpolation=cv2.INTER_AREA))
    drawn = [
        {"image": "face.png", "boxes": [[*ASTRONAUT_FACE, "face"]]},
        {"image": "badge.png", "boxes": []},
    ]
    (tmp_path / "boxes.json").write_text(json.dumps(drawn))
    detector = open_face_lite(BUNDLED_DIR / "face-lite.onnx")()
    found = list(doubts(detector, tmp_path))
    assert [doubt.is_face.tolist() for doubt in found] == [[True], [False]]
    alone = partial(second_scores, detector, least=0.02)
    assert table_row("alone", alone, found).startswith("| alone | 1 of 1 | 0 of 1 | ")
    assert table_row("whole", partial(whole_look, detector, 1.0), found).startswith("| whole | 1 of 1 | 1 of 1 | ")


def test_every_row_of_the_gallery_goes_from_a_face_that_is_found_to_one_that_is_not() -> None:
    luma = np.asarray(cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2GRAY), np.uint8)
    detector = open_face_lite(BUNDLED_DIR / "face-lite.onnx")()
    rows = list(gallery(detector, luma, data.camera()))
    assert [row.shape for row in rows] == [(TILE, 4 * TILE, 3)] * len(ROWS)
    for row in rows:
        green = (row == FOUND).all(axis=2)
        assert green[:, :TILE].any()
        assert not green[:, -TILE:].any()
    for frontal, profile in ((np.zeros_like(luma), luma), (luma, np.zeros_like(luma))):
        with pytest.raises(ValueError, match="must hold a face"):
            list(gallery(detector, frontal, profile))


def test_what_yunet_is_sure_of_is_wanted_and_the_rest_is_ignored(yunet_file: Path) -> None:
    luma = np.asarray(cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2GRAY), np.uint8)
    rows = np.zeros((1, 16), np.float32)
    rows[0, :4], rows[0, 14] = (400, 400, 440, 440), 1
    image, faces = marked(Teacher(yunet_file), luma, Faces.from_rows(rows), 320)
    assert image.shape == (320, 320)
    assert (~faces.ignore).sum() == 1
    assert faces.ignore[-1]
    np.testing.assert_allclose(faces.xyxy[~faces.ignore][0] * 512 / 320, ASTRONAUT_FACE, atol=25)
    _, full = marked(Teacher(yunet_file), luma, Faces.from_rows(rows), 320, full=True)
    np.testing.assert_allclose(full.xyxy, faces.xyxy, atol=5)
    assert not np.array_equal(full.xyxy[0], faces.xyxy[0])


def test_a_set_is_what_lies_in_one_folder_and_pictures_in_none_are_one_set() -> None:
    luma = np.zeros((64, 64), np.uint8)
    names = ("lfw/a.jpg", "lfw/b/c.jpg", "lfw_wide/a.jpg", "lfw.jpg", "other.jpg")
    kept = [Photograph(name, luma, Faces.empty()) for name in names]
    found = dict(picture_sets(kept, None, Path("yunet.onnx")))
    counts = {name: len(list(found[name](32))) for name in found if name.endswith("kept out, fused labels")}
    assert counts == {
        "lfw, kept out, fused labels": 2,
        "lfw_wide, kept out, fused labels": 1,
        "photographs, kept out, fused labels": 2,
    }


def test_placed_photographs_take_their_faces_along(yunet_file: Path) -> None:
    luma = np.asarray(cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2GRAY), np.uint8)
    _, faces = marked(Teacher(yunet_file), luma, Faces.empty(), 512)
    photograph = Photograph("set/one.png", luma, faces)
    ((moved, part),) = placed([photograph])
    assert 0.3 <= part <= 1
    x, y = (int(value) for value in np.round(moved.faces.xyxy[0, :2] - faces.xyxy[0, :2]))
    assert (x, y) != (0, 0)
    np.testing.assert_array_equal(moved.luma[y : y + 512, x : x + 512], luma)
    np.testing.assert_allclose(moved.faces.landmarks - faces.landmarks, np.broadcast_to((x, y), (1, 5, 2)), atol=1e-3)
    wanted = {name: next(placed_pictures([photograph], yunet_file, name, 1, 320)) for name in ("fused", "same", "full")}
    for image, found in wanted.values():
        np.testing.assert_array_equal(image, wanted["fused"][0])
        np.testing.assert_allclose(found.xyxy[0], wanted["fused"][1].xyxy[0], atol=6)
