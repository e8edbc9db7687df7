"""A drawn portrait, so that a face is at hand without a download, and nobody's rights are touched."""

from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 512
FACE = (153.0, 131.0, 361.0, 397.0)
"""Where the face is, (x0, y0, x1, y1) px: from the hair to the chin, from ear to ear."""

Canvas: TypeAlias = NDArray[np.float32]
"""(SIDE, SIDE, 3) BGR in 0 to 255."""
Mask: TypeAlias = NDArray[np.float32]
"""(SIDE, SIDE) in 0 to 1: how much of a colour a pixel takes."""
Point: TypeAlias = tuple[float, float]
Colour: TypeAlias = tuple[float, float, float]

_MIDDLE = 256.0
_SKIN: Colour = (140, 170, 222)
_HAIR: Colour = (30, 40, 58)
_SIDES = (-1, 1)
_GRAIN = 34.0
"""Before it is blurred; with it JPEGs of the portrait have the size of a photograph's, which decoding pays for."""
_SUBPIXELS = 4  # bits of the coordinates that OpenCV draws with


def draw_portrait() -> NDArray[np.uint8]:
    """A smiling person before a grey wall, uint8 (SIDE, SIDE, 3) BGR; the same on every call."""
    canvas = _wall()
    _body(canvas)
    _head(canvas)
    for side in _SIDES:
        _eye(canvas, side)
    _nose(canvas)
    _mouth(canvas)
    grain = np.random.default_rng(7).normal(0, _GRAIN, (SIDE, SIDE)).astype(np.float32)
    canvas += cv2.GaussianBlur(grain, (0, 0), 1.2)[:, :, None]
    return np.clip(canvas, 0, 255).astype(np.uint8)


def _wall() -> Canvas:
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    wall = np.stack([150 - 0.06 * y, 142 - 0.06 * y, 132 - 0.05 * y], -1)
    wall += (6 * np.sin(x / 37) + 5 * np.sin((x + y) / 53))[:, :, None]
    return np.asarray(wall, np.float32)


def _body(canvas: Canvas) -> None:
    _paint(canvas, _ellipse((_MIDDLE, 560), (210, 150), soft=3), (96, 66, 48))
    neck: list[Point] = [(206, 330), (306, 330), (318, 450), (256, 478), (194, 450)]
    _paint(canvas, _polygon(neck, soft=5), (112, 138, 188))
    _shade(canvas, _ellipse((_MIDDLE, 390), (70, 34), soft=14), 0.72)


def _head(canvas: Canvas) -> None:
    _paint(canvas, _ellipse((_MIDDLE, 212), (132, 158), soft=4), _HAIR)
    for side in _SIDES:
        ear = (_MIDDLE + 116 * side, 258.0)
        _paint(canvas, _ellipse(ear, (17, 34), angle=8 * side, soft=2.5), (118, 146, 200))
        _shade(canvas, _ellipse(ear, (8, 20), angle=8 * side, soft=4), 0.8)
    jaw = [*_curve((146, 250), (152, 372), (256, 388)), *_curve((256, 388), (360, 372), (366, 250))]
    head = np.maximum(_ellipse((_MIDDLE, 232), (112, 130), soft=2), _polygon(jaw, soft=2))
    canvas += head[:, :, None] * (np.array(_SKIN, np.float32) * _light()[:, :, None] - canvas)
    for side in _SIDES:
        _paint(canvas, 0.28 * _ellipse((_MIDDLE + 62 * side, 296), (34, 24), soft=16), (120, 130, 226))
        _shade(canvas, 0.35 * _ellipse((_MIDDLE + 98 * side, 300), (18, 60), angle=-12 * side, soft=16), 0.62)
    fringe = [*_curve((140, 240), (128, 60), (256, 66)), *_curve((256, 66), (384, 60), (372, 240))]
    fringe += [*_curve((366, 214), (346, 130), (272, 142)), *_curve((236, 142), (168, 134), (146, 214))]
    hair = _polygon(fringe, soft=3)
    _paint(canvas, hair, _HAIR)
    _shade(canvas, hair * _polygon(_curve((170, 150), (250, 60), (340, 140)), soft=14), 1.5)


def _light() -> Mask:
    """Light from the upper left on an ellipsoid."""
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    right, down = (x - _MIDDLE) / 150, (y - 250) / 185
    forward = np.sqrt(np.clip(1 - right**2 - down**2, 0, 1))
    return np.asarray(np.clip(0.62 + 0.46 * (0.86 * forward - 0.28 * right - 0.38 * down), 0.35, 1.18), np.float32)


def _eye(canvas: Canvas, side: int) -> None:
    x, y = _MIDDLE + 48 * side, 240.0
    _shade(canvas, 0.8 * _ellipse((x, y - 4), (34, 22), soft=9), 0.74)
    inner, outer = x - 24 * side, x + 38 * side
    brow = [*_curve((inner, y - 24), (x + 4 * side, y - 44), (outer, y - 22))]
    brow += [*_curve((outer, y - 22), (x + 4 * side, y - 34), (inner, y - 16))]
    _paint(canvas, 0.9 * _polygon(brow, soft=1.6), _HAIR)
    left, right = (x - 24, y + 1), (x + 24, y + 1)
    white = _polygon([*_curve(left, (x, y - 19), right), *_curve(right, (x, y + 15), left)], soft=1)
    _paint(canvas, white, (215, 222, 226))
    _paint(canvas, white * _ellipse((x, y - 1), (10.5, 10.5), soft=0.8), (52, 74, 92))
    _paint(canvas, white * _ellipse((x, y - 1), (5, 5), soft=0.6), (14, 14, 16))
    _paint(canvas, white * _ellipse((x - 3.5, y - 5), (2.2, 2.2), soft=0.6), (250, 250, 250))
    lid = [*_curve(left, (x, y - 22), right), *_curve(right, (x, y - 16), left)]
    _paint(canvas, 0.9 * _polygon(lid, soft=0.9), _HAIR)
    bag = [
        *_curve((x - 24, y + 8), (x, y + 24), (x + 24, y + 8)),
        *_curve((x + 24, y + 8), (x, y + 17), (x - 24, y + 8)),
    ]
    _shade(canvas, 0.5 * _polygon(bag, soft=2), 0.7)


def _nose(canvas: Canvas) -> None:
    _shade(canvas, 0.45 * _polygon([(244, 232), (236, 296), (246, 300), (252, 240)], soft=5), 0.66)
    _shade(canvas, 0.5 * _ellipse((254, 274), (7, 34), soft=6), 1.16)
    _shade(canvas, 0.5 * _ellipse((_MIDDLE, 300), (14, 10), soft=5), 1.12)
    below = [*_curve((228, 300), (256, 326), (284, 300)), *_curve((284, 300), (256, 312), (228, 300))]
    _shade(canvas, 0.75 * _polygon(below, soft=2.5), 0.55)
    for side in _SIDES:
        _shade(canvas, 0.85 * _ellipse((_MIDDLE + 12 * side, 309), (6.5, 3.6), angle=12 * side, soft=1.6), 0.38)
        _shade(canvas, 0.45 * _ellipse((_MIDDLE + 25 * side, 302), (5, 10), angle=18 * side, soft=3), 0.68)
        fold = _curve((_MIDDLE + 32 * side, 308), (_MIDDLE + 56 * side, 326), (_MIDDLE + 54 * side, 350))
        beside = [(x + 5 * side, y + 2) for x, y in reversed(fold)]
        _shade(canvas, 0.21 * _polygon([*fold, *beside], soft=3), 0.62)


def _mouth(canvas: Canvas) -> None:
    left, right = (210.0, 336.0), (302.0, 336.0)
    lips = [
        *_curve(left, (238, 330), (250, 333)),
        *_curve((262, 333), (274, 330), right),
        *_curve(right, (256, 386), left),
    ]
    _paint(canvas, 0.85 * _polygon(lips, soft=1.5), (98, 92, 186))
    opening = [*_curve(left, (256, 350), right), *_curve(right, (256, 370), left)]
    _paint(canvas, _polygon(opening, soft=1.2), (44, 34, 82))
    teeth = [*_curve((218, 339), (256, 351), (294, 339)), *_curve((294, 339), (256, 364), (218, 339))]
    _paint(canvas, 0.95 * _polygon(teeth, soft=1.2), (222, 228, 232))
    _shade(canvas, 0.5 * _ellipse((_MIDDLE, 372), (30, 7), soft=5), 0.74)
    _shade(canvas, 0.3 * _ellipse((_MIDDLE, 386), (26, 10), soft=6), 1.12)


def _paint(canvas: Canvas, mask: Mask, colour: Colour) -> None:
    canvas += mask[:, :, None] * (np.array(colour, np.float32) - canvas)


def _shade(canvas: Canvas, mask: Mask, factor: float) -> None:
    """Multiply by ``factor`` where the mask is 1."""
    canvas *= 1 + mask[:, :, None] * (factor - 1)


def _ellipse(middle: Point, radii: Point, *, soft: float, angle: float = 0.0) -> Mask:
    """``soft`` is the blur of the edge, sigma px."""
    mask = np.zeros((SIDE, SIDE), np.float32)
    centre, axes = (tuple(round(v * 2**_SUBPIXELS) for v in pair) for pair in (middle, radii))
    cv2.ellipse(mask, centre, axes, angle, 0, 360, (1.0,), cv2.FILLED, cv2.LINE_AA, _SUBPIXELS)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), soft), np.float32)


def _polygon(points: list[Point], *, soft: float) -> Mask:
    mask = np.zeros((SIDE, SIDE), np.float32)
    corners = np.round(np.array(points) * 2**_SUBPIXELS).astype(np.int32)
    cv2.fillPoly(mask, [corners], (1.0,), cv2.LINE_AA, _SUBPIXELS)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), soft), np.float32)


def _curve(start: Point, pull: Point, end: Point) -> list[Point]:
    """A quadratic Bézier curve as 24 points."""
    t = np.linspace(0, 1, 24)[:, None]
    points = (1 - t) ** 2 * np.array(start) + 2 * t * (1 - t) * np.array(pull) + t**2 * np.array(end)
    return [(float(x), float(y)) for x, y in points]
