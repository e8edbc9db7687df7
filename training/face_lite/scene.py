"""Composes training pictures from photographs: many faces of all sizes on one small canvas.

A mosaic (Bochkovskiy et al., arXiv:2004.10934, section 3.3) whose tiles are split again and again, so that one
photograph fills the canvas and another a stamp of it. So faces come in sizes from 10 to 300 px.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.face_lite.faces import Faces
from training.face_lite.photographs import Photograph
from training.face_lite.teacher import MIRROR
from training.face_lite.texture import random_texture

Rng = np.random.Generator
Image = NDArray[np.uint8]

MIN_FACE_PX = 10.0
"""Smaller faces are ignored: neither learnt nor counted."""
MIN_VISIBLE, MIN_IGNORED = 0.6, 0.15
"""Visible part of a face in its tile: from the first it is learnt, from the second ignored, below that dropped."""


@dataclass(frozen=True)
class View:
    """Map of a photograph into a tile: pixels of the tile = ``matrix`` (2, 3) times pixels of the photograph."""

    matrix: NDArray[np.float64]
    scale: float
    angle: float
    mirror: bool


class Pyramid:
    """A photograph at full size, half, quarter and so on, to shrink it without aliasing."""

    def __init__(self, photograph: Photograph) -> None:
        self.faces = photograph.faces
        self.levels = [photograph.luma]
        while min(self.levels[-1].shape) >= 48:
            height, width = self.levels[-1].shape
            half = cv2.resize(self.levels[-1], (width // 2, height // 2), interpolation=cv2.INTER_AREA)
            self.levels.append(np.asarray(half, np.uint8))

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width at full size, in pixels."""
        height, width = self.levels[0].shape
        return height, width

    def render(self, view: View, height: int, width: int, rng: Rng) -> Image:
        """The photograph under ``view``; outside it a plain shade or its repeated border."""
        level = int(np.clip(np.round(np.log2(1 / max(view.scale, 1e-3))), 0, len(self.levels) - 1))
        source = self.levels[level]
        matrix = view.matrix.copy()
        fx, fy = self.shape[1] / source.shape[1], self.shape[0] / source.shape[0]
        # Pixel centres: full = f * (small + 0.5) - 0.5.
        matrix[:, 2] += matrix[:, 0] * (0.5 * fx - 0.5) + matrix[:, 1] * (0.5 * fy - 0.5)
        matrix[:, 0] *= fx
        matrix[:, 1] *= fy
        border = cv2.BORDER_REPLICATE if rng.random() < 0.4 else cv2.BORDER_CONSTANT
        shade = float(rng.integers(0, 256)) if rng.random() < 0.6 else 0.0
        size = (width, height)
        warped = cv2.warpAffine(source, matrix, size, flags=cv2.INTER_LINEAR, borderMode=border, borderValue=shade)
        return np.asarray(warped, np.uint8)


def random_view(rng: Rng, photograph: Pyramid, height: int, width: int) -> View:
    """A view that shows one of the faces, log-uniform in size, anywhere in a tile of ``height`` by ``width``."""
    known = np.flatnonzero(~photograph.faces.ignore)
    tile = min(height, width)
    if len(known) == 0:
        centre, side = np.array(photograph.shape[::-1]) / 2, min(photograph.shape) / 2
    else:
        row = int(rng.choice(known))
        box = photograph.faces.xyxy[row]
        centre, side = (box[:2] + box[2:]) / 2, float(photograph.faces.side[row])
    low, high = max(9.0, 0.12 * tile), max(14.0, (1.25 if tile > 128 else 0.85) * tile)
    wanted = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    cover = max(height / photograph.shape[0], width / photograph.shape[1])
    scale = float(np.clip(wanted / side, 0.75 * cover, max(2.6, 0.76 * cover)))
    angle = float(rng.normal(0, 0.14) if rng.random() < 0.8 else rng.uniform(-0.75, 0.75))
    mirror = bool(rng.random() < 0.5)
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    linear = np.array([[cos, -sin], [sin, cos]]) @ np.diag([-1.0 if mirror else 1.0, 1.0])
    # The larger a face, the nearer to the middle, so that more than its edge is visible.
    room = max(0.12, 0.42 - 0.3 * scale * side / tile)
    goal = rng.uniform(0.5 - room, 0.5 + room, 2) * (width, height)
    return View(np.column_stack([linear, goal - linear @ centre]), scale, angle, mirror)


def move_faces(faces: Faces, view: View, height: int, width: int) -> Faces:
    """``faces`` as they lie in a tile of ``height`` by ``width``, cut at its edges."""
    if not len(faces):
        return faces
    linear, shift = view.matrix[:, :2], view.matrix[:, 2]
    centre = (faces.xyxy[:, :2] + faces.xyxy[:, 2:]) / 2 @ linear.T + shift
    half = (faces.xyxy[:, 2:] - faces.xyxy[:, :2]) / 2 * view.scale
    # A head is an ellipse rather than a rectangle, so its box grows less when turned.
    cos2, sin2 = np.cos(view.angle) ** 2, np.sin(view.angle) ** 2
    half = np.sqrt(half**2 * cos2 + half[:, ::-1] ** 2 * sin2)
    points = faces.landmarks @ linear.T + shift
    if view.mirror:
        points = points[:, MIRROR]
    box = np.concatenate([centre - half, centre + half], axis=1)
    return clip_faces(
        Faces(box.astype(np.float32), points.astype(np.float32), faces.score, faces.ignore), height, width
    )


def clip_faces(faces: Faces, height: int, width: int) -> Faces:
    """Clip faces to a tile; those mostly outside or tiny are ignored, those outside are dropped."""
    whole = faces.side**2
    xyxy = np.clip(faces.xyxy, 0, np.array([width, height, width, height], np.float32))
    cut = Faces(xyxy, faces.landmarks, faces.score, faces.ignore)
    visible = cut.side**2 / np.maximum(whole, 1e-6)
    ignore = faces.ignore | (visible < MIN_VISIBLE) | (cut.side < MIN_FACE_PX)
    outside = (faces.landmarks < 0) | (faces.landmarks >= (width, height))
    landmarks = np.where(outside.any(axis=2, keepdims=True), np.nan, faces.landmarks).astype(np.float32)
    return Faces(xyxy, landmarks, faces.score, ignore).select(visible >= MIN_IGNORED)


def split_canvas(rng: Rng, height: int, width: int) -> list[tuple[int, int, int, int]]:
    """Tiles (y, x, height, width) that cover the canvas; the larger a tile, the likelier it is split in four."""
    tiles, todo = [], [(0, 0, height, width)]
    while todo:
        y, x, h, w = todo.pop()
        side = min(h, w)
        chance = 0.5 if side > 160 else 0.45 if side > 90 else 0.3 if side > 48 else 0.0
        if rng.random() >= chance:
            tiles.append((y, x, h, w))
            continue
        top, left = int(h * rng.uniform(0.35, 0.65)), int(w * rng.uniform(0.35, 0.65))
        todo += [(y, x, top, left), (y, x + left, top, w - left)]
        todo += [(y + top, x, h - top, left), (y + top, x + left, h - top, w - left)]
    return tiles


def face_free_tile(rng: Rng, photograph: Pyramid, height: int, width: int) -> Image | None:
    """A part of the photograph that touches no face, enlarged or shrunk to the tile; None if ten tries find none."""
    rows, columns = photograph.shape
    for _ in range(10):
        side = rng.uniform(0.12, 0.6) * min(rows, columns)
        scale = side / max(height, width)
        h, w = min(int(scale * height) + 8, rows), min(int(scale * width) + 8, columns)
        y, x = int(rng.integers(0, rows - h + 1)), int(rng.integers(0, columns - w + 1))
        box = photograph.faces.xyxy
        touched = (box[:, 0] < x + w) & (box[:, 2] > x) & (box[:, 1] < y + h) & (box[:, 3] > y)
        if not touched.any():
            part = photograph.levels[0][y : y + h, x : x + w]
            shrinks = h > height
            how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
            return np.asarray(cv2.resize(part, (width, height), interpolation=how), np.uint8)
    return None


def torn_face(rng: Rng, photograph: Pyramid, height: int, width: int) -> Image | None:
    """A face cut in four and put together wrongly: the texture of a face without a face."""
    known = photograph.faces.select(~photograph.faces.ignore)
    if not len(known):
        return None
    x0, y0, x1, y1 = np.maximum(known.xyxy[int(rng.integers(len(known)))].astype(int), 0)
    part = photograph.levels[0][y0:y1, x0:x1]
    h, w = part.shape[0] // 2, part.shape[1] // 2
    if min(h, w) < 4:
        return None
    quarters = [part[:h, :w], part[:h, -w:], part[-h:, :w], part[-h:, -w:]]
    # Every left half goes right and every upper half down: no two quarters of a face stay where they belong.
    torn = np.vstack([np.hstack([quarters[3], quarters[2]]), np.hstack([quarters[1], quarters[0]])])
    return np.asarray(cv2.resize(torn, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def without_face(rng: Rng, photograph: Pyramid, height: int, width: int) -> Image:
    """A tile without a face, to learn background from."""
    kind = rng.random()
    tile: Image | None = None
    if kind < 0.72:
        tile = face_free_tile(rng, photograph, height, width)
    elif kind < 0.82:
        tile = torn_face(rng, photograph, height, width)
    return random_texture(rng, height, width) if tile is None else tile


def compose(rng: Rng, photographs: Sequence[Pyramid], weights: NDArray[np.float64], size: int) -> tuple[Image, Faces]:
    """One canvas of ``size`` square and its faces; ``weights`` are cumulative, one per photograph, the last is 1."""
    canvas = np.empty((size, size), np.uint8)
    rows = []
    for y, x, height, width in split_canvas(rng, size, size):
        photograph = photographs[int(np.searchsorted(weights, rng.random()).clip(0, len(photographs) - 1))]
        # A small tile without a face is the rule in pictures of the world, and so it must be here: otherwise the
        # detector learns that whatever is small and has an edge around it is a face.
        if rng.random() < (0.5 if min(height, width) < 160 else 0.2):
            canvas[y : y + height, x : x + width] = without_face(rng, photograph, height, width)
            continue
        view = random_view(rng, photograph, height, width)
        canvas[y : y + height, x : x + width] = photograph.render(view, height, width, rng)
        faces = move_faces(photograph.faces, view, height, width)
        corner = np.array([x, y], np.float32)
        xyxy = faces.xyxy + np.concatenate([corner, corner])
        rows.append(Faces(xyxy, faces.landmarks + corner, faces.score, faces.ignore).to_rows())
    return canvas, Faces.from_rows(np.concatenate(rows) if rows else Faces.empty().to_rows())
