"""The detector's letterbox against plain NumPy, and its way back to image pixels."""

from __future__ import annotations

import numpy as np
import pytest

from ferserve.vision.preprocess import letterbox_into
from tests import reference

SHAPES = [(480, 640), (479, 641), (640, 480), (1, 1), (1, 500), (37, 23), (720, 1280)]
CANVASES = [(240, 320), (64, 64), (1, 1), (33, 97), (96, 100)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("canvas", CANVASES)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_letterbox_equals_the_reference(shape: tuple[int, int], canvas: tuple[int, int], dtype: str) -> None:
    luma = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    out = np.full(canvas, 9, dtype)
    letterbox_into(luma, out, fill=114)
    wanted = reference.letterbox(luma, *canvas, fill=114)
    np.testing.assert_allclose(out.astype(float), wanted, rtol=0, atol=0.51 if dtype == "uint8" else 0.02)


def test_letterbox_normalises_the_content_alone() -> None:
    luma = np.full((10, 20), 200, np.uint8)
    out = np.zeros((20, 20), np.float32)
    box = letterbox_into(luma, out, fill=-5, scale=1 / 255, mean=0.5, std=0.25)
    assert box == (1.0, 0, 5)
    np.testing.assert_allclose(out[5:15], (200 / 255 - 0.5) / 0.25, atol=1e-5)
    assert (out[:5] == -5).all()
    assert (out[15:] == -5).all()


def test_letterbox_writes_into_a_part_of_a_larger_canvas() -> None:
    luma = np.random.default_rng(0).integers(0, 256, (30, 40), np.uint8)
    canvas = np.full((50, 70), 7, np.uint8)
    letterbox_into(luma, canvas[10:34, 20:52])
    outside = np.ones(canvas.shape, bool)
    outside[10:34, 20:52] = False
    assert (canvas[outside] == 7).all()
    wanted = np.zeros((24, 32), np.uint8)
    letterbox_into(luma, wanted)
    np.testing.assert_array_equal(canvas[10:34, 20:52], wanted)
