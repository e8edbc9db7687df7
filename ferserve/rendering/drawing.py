"""Results drawn into frames: boxes, ids and labels."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ferserve.rendering.json import label_text
from ferserve.types import EncodedImage, Face, Frame, FrameResult, PixelFormat, RawImage

_GREEN = (80, 220, 80)
_BLACK = (0, 0, 0)


def annotated(bgr: NDArray[np.uint8], result: FrameResult) -> NDArray[np.uint8]:
    """A copy of ``bgr``, uint8 (H, W, 3), with the box, the id and the label of each face."""
    canvas = bgr.copy()
    draw_into(canvas, result)
    return canvas


def draw_into(bgr: NDArray[np.uint8], result: FrameResult) -> None:
    """Draw the box, the id and the label of each face into ``bgr``, uint8 (H, W, 3), C-contiguous."""
    for face in result.faces:
        _draw_face(bgr, face)


def _draw_face(bgr: NDArray[np.uint8], face: Face) -> None:
    x0, y0, x1, y1 = (round(edge) for edge in face.box)
    cv2.rectangle(bgr, (x0, y0), (x1, y1), _GREEN, 2)
    text = face_caption(face)
    for color, thickness in ((_BLACK, 3), (_GREEN, 1)):  # an outline keeps it readable on any picture
        at = (x0, max(y0 - 6, 12))
        cv2.putText(bgr, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.5, color, thickness, cv2.LINE_AA)


def face_caption(face: Face) -> str:
    """Id, label and confidence, such as ``#3 happiness 0.81``; no id outside of streams."""
    number = f"#{face.track_id} " if face.track_id else ""
    return f"{number}{label_text(face)} {face.confidence:.2f}"


def frame_pixels(frame: Frame) -> NDArray[np.uint8] | None:
    """The pixels of a frame from a source, uint8 (H, W, 3) in BGR order; None for other payloads and damaged ones."""
    payload = frame.payload
    if isinstance(payload, EncodedImage):
        decoded = cv2.imdecode(np.frombuffer(payload.data, np.uint8), cv2.IMREAD_COLOR)
        return None if decoded is None else np.asarray(decoded, np.uint8)
    if isinstance(payload, RawImage) and payload.pixel_format is PixelFormat.BGR24:
        return np.asarray(payload.data, np.uint8)
    return None
