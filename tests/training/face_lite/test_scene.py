"""Pictures that are put together for training: boxes and landmarks must follow the pixels."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.training.face_lite.sets import draw_face, make_photographs
from training.face_lite.batches import SceneBatches
from training.face_lite.disturb import disturb, hide_faces, ignore_lost
from training.face_lite.faces import Faces
from training.face_lite.photographs import Photograph
from training.face_lite.scene import Pyramid, clip_faces, compose, move_faces, random_view, split_canvas


@pytest.fixture(scope="module")
def photographs() -> list[Photograph]:
    return make_photographs()


@pytest.mark.parametrize("seed", range(12))
def test_boxes_and_landmarks_follow_the_pixels(seed: int) -> None:
    """A bright spot at a landmark must be where the moved landmark says."""
    rng = np.random.default_rng(seed)
    luma = np.zeros((120, 160), np.uint8)
    cv2.circle(luma, (60, 50), 4, 255, -1)
    row = np.array([[45, 35, 75, 65, *[60, 50] * 5, 0.9, 0]], np.float32)
    pyramid = Pyramid(Photograph("spot", luma, Faces.from_rows(row)))
    view = random_view(rng, pyramid, 96, 96)
    moved = move_faces(pyramid.faces, view, 96, 96)
    image = pyramid.render(view, 96, 96, np.random.default_rng(1)).astype(float)
    image[image < 100] = 0
    if not len(moved) or moved.ignore[0] or not np.isfinite(moved.landmarks).all() or view.scale < 0.3:
        pytest.skip("the spot is out of the tile")
    y, x = np.mgrid[:96, :96]
    inside = np.hypot(x - moved.landmarks[0, 0, 0], y - moved.landmarks[0, 0, 1]) < 8 * max(view.scale, 0.6)
    spot = image * inside
    assert spot.sum() > 0
    centre = np.array([(x * spot).sum(), (y * spot).sum()]) / spot.sum()
    reach = 4 * view.scale
    if (moved.landmarks[0, 0] > reach).all() and (moved.landmarks[0, 0] < 96 - reach).all():
        np.testing.assert_allclose(centre, moved.landmarks[0, 0], atol=0.8 + 0.1 * view.scale)


def test_a_face_as_large_as_its_tile_is_seen_and_not_only_its_edge() -> None:
    luma = np.zeros((200, 200), np.uint8)
    row = draw_face(luma, 20, 20, 160)
    pyramid, tile = Pyramid(Photograph("close", luma, Faces.from_rows(row[None]))), 200
    views = [random_view(np.random.default_rng(seed), pyramid, tile, tile) for seed in range(300)]
    close = [move_faces(pyramid.faces, view, tile, tile) for view in views if view.scale * 160 > 0.8 * tile]
    assert len(close) > 30
    assert np.mean([len(faces) == 1 and not faces.ignore[0] for faces in close]) > 0.9


def test_faces_are_cut_ignored_or_dropped_by_what_is_visible() -> None:
    boxes = np.array([[-10, 0, 30, 40], [-30, 0, 10, 40], [-38, 0, 2, 40], [1, 1, 5, 5]], np.float32)
    rows = np.zeros((4, 16), np.float32)
    rows[:, :4] = boxes
    rows[:, 14] = 1
    faces = clip_faces(Faces.from_rows(rows), 64, 64)
    np.testing.assert_array_equal(faces.xyxy, [[0, 0, 30, 40], [0, 0, 10, 40], [1, 1, 5, 5]])
    np.testing.assert_array_equal(faces.ignore, [False, True, True])


@pytest.mark.parametrize("seed", range(8))
def test_tiles_cover_the_canvas_once(seed: int) -> None:
    covered = np.zeros((128, 128), int)
    for y, x, height, width in split_canvas(np.random.default_rng(seed), 128, 128):
        covered[y : y + height, x : x + width] += 1
    assert (covered == 1).all()


def test_scenes_are_the_same_for_the_same_seed_and_hold_faces(photographs: list[Photograph]) -> None:
    batches = [SceneBatches(photographs, 4, 128, 3, seed=5) for _ in range(2)]
    (luma, targets), (again, _) = batches[0][1], batches[1][1]
    np.testing.assert_array_equal(luma, again)
    assert luma.shape == (4, 128, 128, 1)
    assert luma.dtype == np.uint8
    assert (targets["owner"] >= 0).any()
    batches[1].on_epoch_end()
    assert not np.array_equal(batches[1][1][0], again)


def test_disturbances_keep_shape_and_type(photographs: list[Photograph]) -> None:
    pyramids = [Pyramid(p) for p in photographs]
    weights = np.linspace(1 / 6, 1, 6)
    for seed in range(30):
        rng = np.random.default_rng(seed)
        image, faces = compose(rng, pyramids, weights, 96)
        hide_faces(rng, image, faces, chance=1.0)
        out, factor = disturb(rng, image)
        assert factor >= 1
        assert out.shape == (96, 96)
        assert out.dtype == np.uint8


def test_what_a_disturbance_hides_is_not_asked_for() -> None:
    rows = np.zeros((2, 16), np.float32)
    rows[:, :4], rows[:, 14] = [(0, 0, 12, 12), (0, 0, 40, 40)], 1
    np.testing.assert_array_equal(ignore_lost(Faces.from_rows(rows), 2.0).ignore, [True, False])
