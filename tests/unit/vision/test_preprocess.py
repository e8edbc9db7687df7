"""What the Python side of preprocessing promises; the pixels are tested in tests/kernels."""

from __future__ import annotations

import numpy as np
import pytest

from ferserve.models.spec import InputSpec
from ferserve.vision.preprocess import Letterbox, letterbox_into, preprocess_batch_into, preprocess_into

BOXES = np.array([[2, 3, 22, 23], [0.5, 0.5, 9.5, 7]], np.float32)


def image(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (30, 40), np.uint8)


def test_specs_in_turn_each_get_their_own_pixels() -> None:
    """Plans are remembered by spec; neither an equal spec nor another in between may mix them up."""
    grey, normal = InputSpec(8, 8, scale=1.0), InputSpec(8, 8, mean=(0.5,), std=(0.5,))
    outs = np.zeros((4, 2, 1, 8, 8), np.float32)
    for out, spec in zip(outs, (grey, normal, InputSpec(8, 8, scale=1.0), normal), strict=True):
        preprocess_into(image(), "luma", BOXES, spec, out)
    np.testing.assert_array_equal(outs[0], outs[2])
    np.testing.assert_array_equal(outs[1], outs[3])
    np.testing.assert_allclose(outs[1], (outs[0] / 255 - 0.5) / 0.5, atol=1e-5)


def test_a_batch_is_its_images_one_after_the_other() -> None:
    images, spec = [image(0), image(1), image(2)], InputSpec(8, 8)
    boxes = [BOXES, BOXES[:0], BOXES[:1]]
    together, apart = np.zeros((2, 5, 1, 8, 8), np.float32)
    preprocess_batch_into(images, "luma", boxes, spec, together, row=1, threads=2)
    preprocess_into(images[0], "luma", boxes[0], spec, apart, row=1)
    preprocess_into(images[2], "luma", boxes[2], spec, apart, row=3)
    np.testing.assert_array_equal(together, apart)
    assert (together[[0, 4]] == 0).all()


def test_landmarks_may_be_missing_for_one_image_of_a_batch() -> None:
    spec = InputSpec(8, 8, align="eyes")
    marks = np.array([[[5, 12], [20, 6], [12, 14], [8, 20], [18, 20]]], np.float32)
    together, apart = np.zeros((2, 2, 1, 8, 8), np.float32)
    preprocess_batch_into([image(), image()], "luma", [BOXES[:1], BOXES[:1]], spec, together, [marks, None])
    preprocess_into(image(), "luma", BOXES[:1], spec, apart[:1], marks)
    preprocess_into(image(), "luma", BOXES[:1], spec, apart[1:])
    np.testing.assert_array_equal(together, apart)
    assert not np.array_equal(together[0], together[1])


def test_nothing_to_do_is_fine() -> None:
    preprocess_batch_into([], "luma", [], InputSpec(8, 8), np.zeros((0, 1, 8, 8), np.float32), threads=4)


@pytest.mark.parametrize("shape", [(480, 640), (33, 200), (7, 3)])
def test_letterbox_coordinates_go_there_and_back(shape: tuple[int, int]) -> None:
    box = letterbox_into(np.zeros(shape, np.uint8), np.zeros((96, 128), np.uint8))
    corners = np.array([[0, 0, shape[1], shape[0]]], np.float32)
    inside = box.from_image(corners)[0]
    assert inside.min() > -1
    assert inside[2] < 129
    assert inside[3] < 97
    np.testing.assert_allclose(box.to_image(box.from_image(corners)), corners, atol=1e-3)
    landmarks = np.random.default_rng(0).random((3, 5, 2), np.float32) * 100
    np.testing.assert_allclose(box.to_image(box.from_image(landmarks)), landmarks, atol=1e-3)


def test_letterbox_coordinates_in_numbers() -> None:
    box = letterbox_into(np.zeros((480, 640), np.uint8), np.zeros((192, 192), np.uint8))
    assert box == Letterbox(scale=pytest.approx(0.3), left=0, top=24)
    np.testing.assert_allclose(box.from_image(np.float32([0, 0, 640, 480])), [0, 24, 192, 168], atol=1e-4)
    np.testing.assert_allclose(box.to_image(np.float32([[96, 96]])), [[320, 240]], atol=1e-3)
