"""Cuts, judged against correlations of thumbnails that NumPy computes by their definition."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

from ferserve.tracking.boxes import Box
from ferserve.tracking.cut import SAME_BACKGROUND, Scene

Image = NDArray[np.uint8]
WIDTH, HEIGHT = 640, 360
FACE: Box = (280.0, 120.0, 360.0, 200.0)
NOBODY: list[Box] = []


def _view(picture: Image, x: float = 0, y: float = 0, scale: float = 1.0) -> Image:
    """A part of a picture, 640x360, with its corner at (x, y)."""
    grey = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    move = np.array([[scale, 0, -x], [0, scale, -y]], np.float32)
    return np.asarray(cv2.warpAffine(grey, move, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT_101), np.uint8)


def _with_head(luma: Image, face: Box, shade: int = 235) -> Image:
    painted = luma.copy()
    centre = (round((face[0] + face[2]) / 2), round((face[1] + face[3]) / 2))
    cv2.ellipse(
        painted, centre, (round((face[2] - face[0]) * 0.6), round((face[3] - face[1]) * 0.8)), 0, 0, 360, shade, -1
    )
    return painted


PICTURES: dict[str, Image] = {
    name: _view(getattr(data, name)()) for name in ("astronaut", "camera", "coffee", "chelsea", "rocket", "coins")
}


@pytest.mark.parametrize("one", PICTURES)
@pytest.mark.parametrize("other", PICTURES)
def test_another_picture_is_another_scene_as_the_correlation_says(one: str, other: str) -> None:
    a, b = (
        cv2.resize(PICTURES[name][::7, ::7], (32, 18), interpolation=cv2.INTER_AREA).ravel().astype(float)
        for name in (one, other)
    )
    alike = np.corrcoef(a, b)[0, 1]
    assert Scene(PICTURES[one], NOBODY).shows(PICTURES[other], NOBODY) is bool(alike >= SAME_BACKGROUND)
    if one != other:
        assert alike < SAME_BACKGROUND


CHANGES: dict[str, Callable[[Image], Image]] = {
    "noise": lambda luma: np.clip(luma + np.random.default_rng(0).normal(0, 12, luma.shape), 0, 255).astype(np.uint8),
    "darker": lambda luma: (luma * 0.4).astype(np.uint8),
    "brighter": lambda luma: np.clip(luma.astype(int) + 40, 0, 255).astype(np.uint8),
    "less contrast": lambda luma: (luma * 0.3 + 90).astype(np.uint8),
    "half the size": lambda luma: np.asarray(cv2.resize(luma, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)),
    "compressed": lambda luma: np.asarray(
        cv2.imdecode(cv2.imencode(".jpg", luma, [cv2.IMWRITE_JPEG_QUALITY, 15])[1], cv2.IMREAD_GRAYSCALE)
    ),
}


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("change", CHANGES)
def test_light_noise_and_size_are_no_cut(name: str, change: str) -> None:
    luma = PICTURES[name]
    assert Scene(luma, NOBODY).shows(np.ascontiguousarray(CHANGES[change](luma)), NOBODY)


@pytest.mark.parametrize("name", PICTURES)
def test_a_head_that_walks_through_is_no_cut_and_the_same_head_elsewhere_is_one(name: str) -> None:
    before = _with_head(PICTURES[name], FACE)
    for dx in (-250, -60, 60, 250):
        face = (FACE[0] + dx, FACE[1], FACE[2] + dx, FACE[3])
        assert Scene(before, [FACE]).shows(_with_head(PICTURES[name], face, shade=30), [face])
    other = PICTURES["coffee" if name != "coffee" else "rocket"]
    assert not Scene(before, [FACE]).shows(_with_head(other, FACE), [FACE])


@pytest.mark.parametrize("step", [2, 6, 12])
def test_a_camera_that_turns_slowly_makes_no_cut(step: int) -> None:
    views = [_view(data.astronaut(), x, 60) for x in range(0, 8 * step, step)]
    for before, after in itertools.pairwise(views):
        assert Scene(before, NOBODY).shows(after, NOBODY)


def test_a_flat_wall_tells_nothing_so_the_whole_picture_does() -> None:
    wall = np.full((HEIGHT, WIDTH), 120, np.uint8)
    scene = Scene(_with_head(wall, FACE), [FACE])
    assert scene.shows(wall, NOBODY)  # flat altogether: no sign of a cut
    assert scene.shows(_with_head(wall, FACE, shade=220), [FACE])
    aside = (FACE[0] + 220, FACE[1], FACE[2] + 220, FACE[3])
    assert not scene.shows(_with_head(wall, aside), [aside])


def test_a_face_that_fills_the_frame_leaves_the_whole_picture_to_judge_by() -> None:
    close = (0.0, 0.0, float(WIDTH), float(HEIGHT))
    scene = Scene(PICTURES["astronaut"], [close])
    assert scene.shows(PICTURES["astronaut"], [close])
    assert not scene.shows(PICTURES["coffee"], [close])


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (7, 3), (47, 49), (1080, 1920)])
@pytest.mark.parametrize("face", [FACE, (-50.0, -50.0, -10.0, -10.0), (1e6, 1e6, 2e6, 2e6), (-1e6, -1e6, 1e6, 1e6)])
def test_frames_and_boxes_of_any_size_are_compared(shape: tuple[int, int], face: Box) -> None:
    luma = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    assert Scene(luma, [face]).shows(luma, [face])
