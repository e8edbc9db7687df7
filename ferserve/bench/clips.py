"""Short films of faces, encoded before anything is measured, that loop without a jump."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from ferserve.bench.portrait import FACE, draw_portrait
from ferserve.errors import ConfigError

Pixels: TypeAlias = NDArray[np.uint8]
BoxTuple: TypeAlias = tuple[float, float, float, float]

JPEG_QUALITY = 85
LENGTH_S = 8.0
"""Long enough that neighbouring cameras see different pictures, short enough to hold in memory as JPEG."""

_NOISE_SIGMA = 2.0
"""Of luma, as a webcam in a lit room has; without it flat areas would decode faster than a camera's."""


@dataclass(frozen=True)
class Clip:
    """JPEG ``frames`` that loop, and for each the ``boxes`` of its faces, px, empty if unknown."""

    frames: tuple[bytes, ...]
    boxes: tuple[tuple[BoxTuple, ...], ...]
    width: int
    height: int


def make_clip(source: str, width: int, height: int, faces: int, fps: float) -> Clip:
    """A clip of ``width`` x ``height`` px at ``fps``.

    ``source`` is empty for a drawn portrait, or the path of an image or a video. An image is moved, scaled and
    lit ``faces`` times beside each other, each in its own rhythm; a video plays to its end and back, as it is.
    Raises :class:`ConfigError` if the source is missing or cannot be read.
    """
    count = max(2, round(LENGTH_S * fps))
    if source and (film := _read_video(source, width, height, count)) is not None:
        frames = (*film, *film[-2:0:-1])
        return Clip(frames, ((),) * len(frames), width, height)
    portrait, face = (_read_image(source), None) if source else (draw_portrait(), FACE)
    scene = _Scene(portrait, face, width, height, faces)
    made = [scene.jpeg_at(i / count) for i in range(count)]
    return Clip(tuple(jpeg for jpeg, _ in made), tuple(boxes for _, boxes in made), width, height)


class _Scene:
    """``faces`` portraits beside each other before a blurred wall; time runs from 0 to 1 and then repeats."""

    def __init__(self, portrait: Pixels, face: BoxTuple | None, width: int, height: int, faces: int) -> None:
        self._portrait, self._face = portrait, face
        self._size = (width, height)
        self._faces = faces
        wall = cv2.resize(cv2.GaussianBlur(portrait, (0, 0), 24), self._size)
        self._wall = np.asarray(wall, np.uint8)
        random = np.random.default_rng(0)
        self._noise = random.normal(0, _NOISE_SIGMA, (2 * height, 2 * width, 1)).astype(np.float32)

    def jpeg_at(self, time: float) -> tuple[bytes, tuple[BoxTuple, ...]]:
        """The picture and where its faces are."""
        picture = self._wall.copy()
        boxes = [self._put(picture, i, 2 * math.pi * time) for i in range(self._faces)]
        light = 1 + 0.12 * math.sin(2 * math.pi * time)
        width, height = self._size
        x, y = int(width * (0.5 + 0.5 * math.sin(7919 * time))), int(height * (0.5 + 0.5 * math.sin(7907 * time)))
        noisy = picture * np.float32(light) + self._noise[y : y + height, x : x + width]
        return _jpeg(np.clip(noisy, 0, 255).astype(np.uint8)), tuple(b for b in boxes if b is not None)

    def _put(self, picture: Pixels, index: int, angle: float) -> BoxTuple | None:
        """Draw portrait ``index`` into its part of ``picture``; sways and breathes whole turns, so that it loops."""
        width, height = self._size
        column = width / self._faces
        left = round(index * column)
        part = picture[:, left : round((index + 1) * column)]
        angle += 2.4 * index
        rows, columns = self._portrait.shape[:2]
        zoom = min(1.4 * column / columns, 1.25 * height / rows) * (1 + 0.08 * math.sin(2 * angle))
        face = self._face or (0.0, 0.0, float(columns), float(rows))
        aim_x = part.shape[1] * (0.5 + 0.12 * math.sin(angle))
        aim_y = height * (0.45 + 0.06 * math.cos(3 * angle))
        dx, dy = aim_x - zoom * (face[0] + face[2]) / 2, aim_y - zoom * (face[1] + face[3]) / 2
        warp = np.array([[zoom, 0, dx], [0, zoom, dy]], np.float32)
        area = cv2.warpAffine(
            self._portrait, warp, (part.shape[1], height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT
        )
        inside = cv2.warpAffine(np.full((rows, columns), 255, np.uint8), warp, (part.shape[1], height))
        np.copyto(part, np.asarray(area, np.uint8), where=(inside > 254)[:, :, None])
        if self._face is None:
            return None
        x0, y0, x1, y1 = (zoom * v + d for v, d in zip(face, (dx, dy, dx, dy), strict=True))
        return (x0 + left, y0, x1 + left, y1)


def _jpeg(bgr: Pixels) -> bytes:
    return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(bgr), JPEG_QUALITY, "BGR", "420"))


def _read_image(path: str) -> Pixels:
    image = cv2.imread(path, cv2.IMREAD_COLOR)
    if image is None:
        raise ConfigError(f"--source must be an image or a video that can be read, got {path!r}")
    return np.asarray(image, np.uint8)


def _read_video(path: str, width: int, height: int, most: int) -> list[bytes] | None:
    """At most ``most`` frames scaled to the size, as JPEG; None if ``path`` is no video of several frames."""
    if not os.path.isfile(path):
        raise ConfigError(f"--source must be an existing file, got {path!r}")
    capture = cv2.VideoCapture(path)
    film: list[bytes] = []
    while len(film) < most:
        more, picture = capture.read()
        if not more:
            break
        film.append(_jpeg(np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)))
    capture.release()
    return film if len(film) > 2 else None
