"""Which boxes of a frame are classified: checks of a client's boxes, and the choice of the largest faces."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ferserve.errors import InvalidFrameError
from ferserve.models.spec import InputSpec
from ferserve.types import Detections
from ferserve.vision.picture import Picture

Boxes = NDArray[np.float32]

_MAX_COORDINATE_PX = 1e6
"""Coordinates farther out are a mistake, and sums of them overflow."""

_MAX_BOXED_SHARE = 4
"""Faces overlap little: even a crowd's boxes with wide margins hold each pixel twice."""


def client_boxes(boxes: Boxes, picture: Picture, max_faces: int, max_pixels: int) -> Detections:
    """The boxes (N, 4) that a client sent, in pixels of ``picture``.

    Raises :class:`InvalidFrameError` for more than ``max_faces``, for a box that is not finite, has no area or lies
    outside the frame, and for boxes that hold more than four times ``max_pixels`` together: each pixel of each is read.
    """
    require_at_most(max_faces, len(boxes), "boxes")
    left_px = _MAX_BOXED_SHARE * max_pixels
    for i, (x0, y0, x1, y1) in enumerate(boxes.tolist()):
        if not (np.abs(boxes[i]) <= _MAX_COORDINATE_PX).all() or not (x0 < x1 and y0 < y1):
            raise InvalidFrameError(
                f"boxes[{i}] must be finite with x0 < x1 and y0 < y1, at most {_MAX_COORDINATE_PX:g} px away, "
                f"got {(x0, y0, x1, y1)}"
            )
        if x0 >= picture.width or y0 >= picture.height or x1 <= 0 or y1 <= 0:
            size = f"{picture.width}x{picture.height}"
            raise InvalidFrameError(f"boxes[{i}] must overlap the frame of {size} px, got {(x0, y0, x1, y1)}")
        left_px -= int((min(x1, picture.width) - max(x0, 0)) * (min(y1, picture.height) - max(y0, 0)))
        if left_px < 0:
            raise InvalidFrameError(
                f"boxes must hold at most {_MAX_BOXED_SHARE * max_pixels} px together ({_MAX_BOXED_SHARE} times "
                f"engine.max_pixels), got more in the first {i + 1}; send them in parts"
            )
    return Detections.from_boxes(np.ascontiguousarray(boxes, np.float32))


def require_at_most(limit: int, count: int, field_name: str) -> None:
    """Raises :class:`InvalidFrameError` if ``field_name`` holds more than ``limit`` boxes or crops."""
    if count > limit:
        raise InvalidFrameError(f"{field_name} must be at most {limit}, got {count}; send them in parts")


def rows_to_classify(detections: Detections, spec: InputSpec, max_faces: int) -> NDArray[np.intp] | slice:
    """Ascending rows of the ``max_faces`` largest faces whose crop is not empty after the model's margin.

    Faces are chosen after tracking: a detection that was left out would end the track of a face.
    """
    if not _may_leave_nothing(spec):
        return largest_rows(detections.xyxy, max_faces)
    rows = np.flatnonzero(_shorter_side_px(detections.xyxy, spec) > 0)
    return np.asarray(rows[largest_rows(detections.xyxy[rows], max_faces)])


def largest_rows(xyxy: Boxes, count: int) -> NDArray[np.intp] | slice:
    """Ascending rows of the ``count`` boxes (N, 4) with the largest area; of equal ones the first."""
    if len(xyxy) <= count:
        return slice(None)
    area = np.prod(xyxy[:, 2:] - xyxy[:, :2], axis=1)
    return np.sort(np.argsort(-area, kind="stable")[:count])


def require_crop(xyxy: Boxes, spec: InputSpec, field_name: str) -> None:
    """Raises :class:`InvalidFrameError` if the model's margin leaves nothing of a box (N, 4)."""
    if not _may_leave_nothing(spec):
        return
    left_px = _shorter_side_px(xyxy, spec)
    if (left_px <= 0).any():
        x0, y0, x1, y1 = xyxy[int(left_px.argmin())].tolist()
        width, height = x1 - x0, y1 - y0
        raise InvalidFrameError(
            f"{field_name} must keep a width and a height after the model's margin of {spec.margin:g}, "
            f"got {width:g}x{height:g} px; send a less narrow one"
        )


def _may_leave_nothing(spec: InputSpec) -> bool:
    """True if the model cuts a margin off a box that is not made square first: a thin box may vanish."""
    return spec.margin < 0 and not spec.square


def _shorter_side_px(xyxy: Boxes, spec: InputSpec) -> NDArray[np.float64]:
    """The shorter side of each crop after the margin, which is a share of the longer side."""
    sides = (xyxy[:, 2:] - xyxy[:, :2]).astype(np.float64)
    return np.asarray(sides.min(axis=1) + 2 * spec.margin * sides.max(axis=1))
