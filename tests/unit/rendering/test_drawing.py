"""What is drawn into a frame."""

from __future__ import annotations

import numpy as np

from ferserve.rendering.drawing import annotated, frame_pixels
from ferserve.sources.arrays import raw_image
from ferserve.types import Crops, EncodedImage, Face, Frame, FrameResult, HeadResult
from tests import builders


def _result(box: tuple[float, float, float, float]) -> FrameResult:
    head = HeadResult("emotion", ("calm", "happy"), np.array([0.2, 0.8], np.float32), label_index=1)
    return FrameResult(1, faces=(Face(box, 0.9, (head,), track_id=3),))


def test_boxes_are_drawn_on_a_copy() -> None:
    grey = np.full((100, 120, 3), 128, np.uint8)
    drawn = annotated(grey, _result((20, 40, 60, 90)))
    assert (grey == 128).all()
    changed = (drawn != 128).any(axis=2)
    assert changed[40, 20:61].all()
    assert changed[90, 20:61].all()
    assert changed[40:91, 20].all()
    assert changed[40:91, 60].all()
    assert not changed[50:80, 30:50].any(), "the face itself must stay visible"
    assert changed[25:36].any(), "the emotion stands above the box"


def test_a_box_at_the_edge_is_no_trouble() -> None:
    annotated(np.zeros((50, 50, 3), np.uint8), _result((-10, -20, 70, 80)))


def test_pixels_of_every_frame_that_a_source_makes() -> None:
    bgr = builders.scene()
    np.testing.assert_array_equal(frame_pixels(Frame(1, raw_image(bgr))), bgr)
    decoded = frame_pixels(Frame(1, EncodedImage(builders.jpeg(bgr))))
    assert decoded is not None
    assert decoded.shape == bgr.shape
    assert frame_pixels(Frame(1, EncodedImage(b"damaged"))) is None
    assert frame_pixels(Frame(1, Crops(()))) is None
