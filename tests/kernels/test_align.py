"""Alignment by landmarks against a least squares fit and a bilinear sampler in plain NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from ferserve.models.spec import InputSpec
from ferserve.vision.preprocess import preprocess_into
from tests import reference

BOX = np.array([[10, 10, 90, 90]], np.float32)


def landmarks_at(angle: float, side: float, x: float, y: float, jitter: float = 0.0) -> np.ndarray:
    """The template turned by ``angle`` radians, ``side`` px large, centred on (x, y)."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = (reference.TEMPLATE - 0.5) * side @ turn.T + (x, y)
    return (points + np.random.default_rng(1).normal(0, jitter, points.shape)).astype(np.float32)


@pytest.mark.parametrize("align", ["eyes", "landmarks"])
@pytest.mark.parametrize("method", ["area", "bilinear", "antialias"])
@pytest.mark.parametrize("angle", [0.0, 0.4, -1.2, 3.0])
@pytest.mark.parametrize("side", [20.0, 80.0, 170.0, 900.0])
@pytest.mark.parametrize("color", ["luma", "bgr"])
def test_aligned_crop_equals_the_reference(align: str, method: str, angle: float, side: float, color: str) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (100, 120) if color == "luma" else (100, 120, 3), np.uint8)
    marks = landmarks_at(angle, side, 70, 40, jitter=2.0)
    spec = InputSpec(32, 28, align=align, resize=method, margin=0.1, scale=1.0)
    out = np.zeros((1, *spec.row_shape), np.float32)
    preprocess_into(image, color, BOX, spec, out, marks[None])
    wanted = reference.aligned(image, color, marks, spec)
    np.testing.assert_allclose(out[0], wanted, rtol=0, atol=0.05)


@pytest.mark.parametrize(
    "marks",
    [np.full((5, 2), np.nan), np.full((5, 2), np.inf), np.full((5, 2), 3.0), np.full((5, 2), 3e38)],
    ids=["nan", "infinite", "one point", "far away"],
)
@pytest.mark.parametrize("align", ["eyes", "landmarks"])
def test_landmarks_that_define_nothing_leave_the_box(marks: np.ndarray, align: str) -> None:
    image = np.random.default_rng(0).integers(0, 256, (100, 120), np.uint8)
    spec = InputSpec(32, 28, align=align)
    by_box, by_marks = np.zeros((2, 1, *spec.row_shape), np.float32)
    preprocess_into(image, "luma", BOX, spec, by_box)
    preprocess_into(image, "luma", BOX, spec, by_marks, marks[None].astype(np.float32))
    np.testing.assert_array_equal(by_box, by_marks)


def test_landmarks_are_ignored_unless_the_model_aligns() -> None:
    image = np.random.default_rng(0).integers(0, 256, (100, 120), np.uint8)
    spec = InputSpec(32, 28)
    by_box, by_marks = np.zeros((2, 1, *spec.row_shape), np.float32)
    preprocess_into(image, "luma", BOX, spec, by_box)
    preprocess_into(image, "luma", BOX, spec, by_marks, landmarks_at(1.0, 50, 50, 50)[None])
    np.testing.assert_array_equal(by_box, by_marks)
