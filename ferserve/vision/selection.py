"""Which boxes of a frame are classified: what a client may send, and the largest faces of which a crop remains."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ferserve.errors import InvalidFrameError
from ferserve.models.spec import InputSpec
from ferserve.types import Detections
from ferserve.vision.decode import Picture

Boxes = NDArray[np.float32]

_FARTHEST_PX = 1e6
"""Farther out, coordinates are a mistake, and sums of them overflow."""


def client_boxes(boxes: Boxes, picture: Picture, most: int) -> Detections:
    """The boxes (N, 4) that a client sent, in pixels of ``picture``.

    Raises :class:`InvalidFrameError` for more than ``most``, and for one that is not finite, holds no area or lies
    outside of the frame.
    """
    require_few(len(boxes), "boxes", most)
    for i, (x0, y0, x1, y1) in enumerate(boxes.tolist()):
        if not (np.abs(boxes[i]) <= _FARTHEST_PX).all() or not (x0 < x1 and y0 < y1):
            raise InvalidFrameError(
                f"boxes[{i}] must be finite with x0 < x1 and y0 < y1, at most {_FARTHEST_PX:g} px away, "
                f"got {(x0, y0, x1, y1)}"
            )
        if x0 >= picture.width or y0 >= picture.height or x1 <= 0 or y1 <= 0:
            size = f"{picture.width}x{picture.height}"
            raise InvalidFrameError(f"boxes[{i}] must overlap the frame of {size} px, got {(x0, y0, x1, y1)}")
    return Detections.from_boxes(np.ascontiguousarray(boxes, np.float32))


def require_few(count: int, field_name: str, most: int) -> None:
    """Raises :class:`InvalidFrameError` where the ``count`` boxes or crops of ``field_name`` are more than ``most``."""
    if count > most:
        raise InvalidFrameError(f"{field_name} must be at most {most}, got {count}; send them in parts")


def wanted_rows(detections: Detections, spec: InputSpec, most: int) -> NDArray[np.intp] | slice:
    """Rows, rising, of the largest faces of which the model's margin leaves something, as many as may be answered.

    Chosen of what is tracked, not of what is detected: a face that is not asked for now would otherwise be missed.
    """
    if not _cuts(spec):
        return largest_rows(detections.xyxy, most)
    rows = np.flatnonzero(_left(detections.xyxy, spec) > 0)
    return np.asarray(rows[largest_rows(detections.xyxy[rows], most)])


def largest_rows(xyxy: Boxes, most: int) -> NDArray[np.intp] | slice:
    """Rows, rising, of so many boxes at most."""
    if len(xyxy) <= most:
        return slice(None)
    size = np.prod(xyxy[:, 2:] - xyxy[:, :2], axis=1)
    return np.sort(np.argsort(-size, kind="stable")[:most])


def require_room(xyxy: Boxes, spec: InputSpec, field_name: str) -> None:
    """Raises :class:`InvalidFrameError` where the model's margin leaves nothing of a box."""
    if not _cuts(spec):
        return
    left = _left(xyxy, spec)
    if (left <= 0).any():
        x0, y0, x1, y1 = xyxy[int(left.argmin())].tolist()
        width, height = x1 - x0, y1 - y0
        raise InvalidFrameError(
            f"{field_name} must keep a width and a height after the model's margin of {spec.margin:g}, "
            f"got {width:g}x{height:g} px; send a less narrow one"
        )


def _cuts(spec: InputSpec) -> bool:
    """Whether the model cuts a margin off, and not off a square, so that nothing may be left of something thin."""
    return spec.margin < 0 and not spec.square


def _left(xyxy: Boxes, spec: InputSpec) -> NDArray[np.float64]:
    """The shorter side of each crop, px, of a model that cuts; its margin is a part of the longer side."""
    sides = (xyxy[:, 2:] - xyxy[:, :2]).astype(np.float64)
    return np.asarray(sides.min(axis=1) + 2 * spec.margin * sides.max(axis=1))
