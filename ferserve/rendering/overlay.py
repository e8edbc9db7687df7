"""Results drawn into the frames of a clip: boxes, ids, labels, and a bar per probability."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from ferserve.rendering.drawing import face_caption
from ferserve.rendering.yuv import Bgr, Pixels, YuvPicture
from ferserve.types import Face, FrameResult

_COLORS: tuple[Bgr, ...] = (
    *((80, 220, 80), (40, 170, 255), (255, 170, 60), (200, 110, 240)),
    *((60, 230, 240), (230, 220, 60), (110, 110, 250), (210, 210, 210)),
)
"""Of people, by their ids: neighbours differ."""

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_WHITE = 235
_USUAL_SIDE = 720
_GAP = 6
_ROW, _NAMES, _BARS = 18, 96, 84
"""Height of a row of the bars, and widths of its name and its longest bar, px at the usual size."""


def draw_overlay(picture: YuvPicture, result: FrameResult) -> None:
    """Draw the box, the id, the label and the probabilities of each face into ``picture``."""
    scale = min(max(min(picture.width, picture.height) / _USUAL_SIDE, 0.6), 4.0)
    for face in result.faces:
        color = _COLORS[(face.track_id - 1) % len(_COLORS)]
        x0, y0, x1, y1 = (round(edge) for edge in face.box)
        picture.outline((x0, y0, x1, y1), color, max(round(2 * scale), 1))
        _write_caption(picture, face, (x0, y0), scale)
        _draw_bars(picture, face, scale, color)


def _write_caption(picture: YuvPicture, face: Face, corner: tuple[int, int], scale: float) -> None:
    text = _rendered(face_caption(face), scale)
    height, width = text.shape
    x = min(max(corner[0], 0), max(picture.width - width, 0))
    y = max(corner[1] - height, 0)
    picture.darken((x, y, x + width, y + height))
    picture.lighten((x, y), text)


def _draw_bars(picture: YuvPicture, face: Face, scale: float, color: Bgr) -> None:
    """The labels of the first head beside the box."""
    head = face.heads[0]
    names = _names(head.labels, scale)
    height, width = names.shape[0], names.shape[1] + round((_BARS + 6) * scale)
    if width > picture.width or height > picture.height:
        return
    x, y = _room_beside(face, width, height, picture)
    picture.darken((x, y, x + width, y + height))
    picture.lighten((x, y), names)
    row, start = height / len(head.labels), x + names.shape[1]
    for number, probability in enumerate(head.probabilities):
        above, below = y + round(number * row + 0.2 * row), y + round(number * row + 0.8 * row)
        picture.fill((start, above, start + max(round(float(probability) * _BARS * scale), 1), below), color)


def _room_beside(face: Face, width: int, height: int, picture: YuvPicture) -> tuple[int, int]:
    """Where a rectangle covers nothing of the face: right, left, below or above; else a corner of the picture."""
    x0, y0, x1, y1 = (round(edge) for edge in face.box)
    across = min(max(x0, 0), picture.width - width)
    down = min(max(y0, 0), picture.height - height)
    if x1 + _GAP + width <= picture.width:
        return x1 + _GAP, down
    if x0 >= _GAP + width:
        return x0 - _GAP - width, down
    if y1 + _GAP + height <= picture.height:
        return across, y1 + _GAP
    return (across, y0 - 2 * _GAP - height) if y0 >= 2 * _GAP + height else (0, picture.height - height)


@lru_cache(maxsize=16)
def _names(labels: tuple[str, ...], scale: float) -> Pixels:
    """The names below each other, white on black, uint8 (h, w); read-only."""
    rows = [_rendered(label, scale * 0.85) for label in labels]
    height, width = round(_ROW * scale), max(round(_NAMES * scale), *(row.shape[1] for row in rows))
    names = np.zeros((height * len(labels), width), np.uint8)
    for number, row in enumerate(rows):
        part = names[number * height : (number + 1) * height]
        part[: row.shape[0], : row.shape[1]] = row[:height]
    names.flags.writeable = False
    return names


@lru_cache(maxsize=256)
def _rendered(text: str, scale: float) -> Pixels:
    """``text`` in one line, white on black, uint8 (h, w); read-only."""
    shown = text.encode("ascii", "replace").decode()  # OpenCV's font has no more
    (width, height), below = cv2.getTextSize(shown, _FONT, 0.5 * scale, 1)
    margin = max(round(3 * scale), 1)
    line = np.zeros((height + below + margin, width + 2 * margin), np.uint8)
    cv2.putText(line, shown, (margin, height + margin), _FONT, 0.5 * scale, (_WHITE,), 1, cv2.LINE_AA)
    line.flags.writeable = False
    return line
