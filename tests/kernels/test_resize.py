"""The resize kernels against plain NumPy in float64, and against the libraries whose conventions they promise."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image

from ferserve.models.spec import InputSpec
from ferserve.vision.preprocess import preprocess_into
from tests import reference

METHODS = ["area", "bilinear", "antialias"]
RAW = {"scale": 1.0}
BOXES = {
    "whole": (0, 0, 61, 47),
    "inside": (7.25, 3.5, 40.125, 30.75),
    "left and above": (-20.5, -9.75, 25.25, 31),
    "right and below": (30.5, 20, 90.25, 60.5),
    "around": (-40, -30, 100, 90),
    "thin": (10.4, 2, 10.6, 40),
    "one pixel": (5, 6, 6, 7),
}


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def crop(image: np.ndarray, color: str, box: tuple[float, ...], spec: InputSpec) -> np.ndarray:
    out = np.full((1, *spec.row_shape), 99, spec.dtype)
    preprocess_into(image, color, np.array([box], np.float32), spec, out)
    return out[0]


def assert_close(got: np.ndarray, wanted: np.ndarray, grey_levels: float = 0.02) -> None:
    assert got.shape == wanted.shape
    np.testing.assert_allclose(got.astype(np.float64), wanted, rtol=0, atol=grey_levels)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("box", BOXES.values(), ids=BOXES.keys())
@pytest.mark.parametrize("size", [(48, 48), (1, 1), (7, 13), (64, 33), (130, 5)])
@pytest.mark.parametrize("square", [True, False])
def test_luma_equals_the_reference(method: str, box: tuple, size: tuple[int, int], square: bool) -> None:
    spec = InputSpec(*size, resize=method, square=square, margin=0.1, **RAW)
    image = noise(47, 61)
    assert_close(crop(image, "luma", box, spec), reference.preprocess(image, "luma", np.float32(box), spec))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (2, 3), (301, 203), (700, 1100), (3, 5000)])
@pytest.mark.parametrize("size", [(48, 48), (1, 1), (17, 300)])
def test_any_image_size_equals_the_reference(method: str, shape: tuple[int, int], size: tuple[int, int]) -> None:
    spec = InputSpec(*size, resize=method, square=False, **RAW)
    image = noise(*shape)
    box = (0, 0, shape[1], shape[0])
    assert_close(crop(image, "luma", box, spec), reference.preprocess(image, "luma", np.float32(box), spec))


@pytest.mark.parametrize("source", ["luma", "bgr", "rgb"])
@pytest.mark.parametrize("wanted", ["luma", "bgr", "rgb"])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8"])
def test_color_layout_and_dtype_equal_the_reference(source: str, wanted: str, layout: str, dtype: str) -> None:
    mean = (0.1,) if wanted == "luma" else (0.485, 0.456, 0.406)
    facts = {"mean": mean, "std": tuple(0.2 + m for m in mean)}
    if dtype == "uint8":
        facts = {"mean": (0.0,) * len(mean), "std": (1.0,) * len(mean), "scale": 1.0}
    spec = InputSpec(29, 37, color=wanted, layout=layout, dtype=dtype, margin=0.2, **facts)
    image = noise(90, 80) if source == "luma" else noise(90, 80, 3)
    box = (10.5, 20.25, 95.0, 70.0)
    wanted_row = reference.preprocess(image, source, np.float32(box), spec)
    tolerance = {"float32": 1e-4, "float16": 4e-3, "uint8": 1.0}[dtype]
    got = crop(image, source, box, spec)
    assert_close(got, wanted_row, tolerance)
    assert np.abs(got - wanted_row).mean() < 0.2


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("step", [1, 2, 3, 4, 7, 200])
def test_strided_views_are_read_in_place(method: str, step: int) -> None:
    packed = noise(40, 50 * step)
    view = packed[::2, ::step]
    spec = InputSpec(9, 14, resize=method, **RAW)
    box = (-3.5, 2.25, 44, 30)
    assert_close(crop(view, "luma", box, spec), crop(np.ascontiguousarray(view), "luma", box, spec), 1e-4)


def test_color_view_of_four_channel_frame() -> None:
    frame = noise(30, 40, 4)
    spec = InputSpec(12, 12, color="rgb", mean=(0.0,) * 3, std=(1.0,) * 3, scale=1.0)
    box = (1, 2, 33, 28)
    got = crop(frame[..., :3], "bgr", box, spec)
    assert_close(got, reference.preprocess(frame[..., :3], "bgr", np.float32(box), spec))


@pytest.mark.parametrize("ratio", [2, 3, 5])
def test_area_equals_opencv_at_whole_ratios(ratio: int) -> None:
    image = noise(16 * ratio, 20 * ratio)
    got = crop(image, "luma", (0, 0, 20 * ratio, 16 * ratio), InputSpec(16, 20, square=False, **RAW))
    assert_close(got[0], cv2.resize(image.astype(np.float32), (20, 16), interpolation=cv2.INTER_AREA))


@pytest.mark.parametrize("size", [(48, 48), (100, 75), (33, 250)])
def test_bilinear_equals_opencv(size: tuple[int, int]) -> None:
    image = noise(120, 90)
    spec = InputSpec(*size, resize="bilinear", square=False, **RAW)
    wanted = cv2.resize(image.astype(np.float32), (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    assert_close(crop(image, "luma", (0, 0, 90, 120), spec)[0], wanted, 0.1)


@pytest.mark.parametrize("size", [(48, 48), (17, 90), (200, 150)])
def test_antialias_equals_pillow(size: tuple[int, int]) -> None:
    image = noise(120, 90)
    box = (3.5, 10.25, 80.75, 99.5)
    wanted = Image.fromarray(image.astype(np.float32)).resize((size[1], size[0]), Image.Resampling.BILINEAR, box)
    spec = InputSpec(*size, resize="antialias", square=False, **RAW)
    assert_close(crop(image, "luma", box, spec)[0], np.asarray(wanted), 0.02)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("level", [0, 1, 127, 254, 255])
def test_a_flat_image_stays_flat(method: str, level: int) -> None:
    image = np.full((333, 222, 3), level, np.uint8)
    got = crop(image, "bgr", (-50, 20, 300, 310), InputSpec(48, 48, resize=method, **RAW))
    assert_close(got, np.full((1, 48, 48), level), 0.01)


def test_rows_before_and_after_are_left_alone() -> None:
    spec = InputSpec(8, 8)
    out = np.full((5, 1, 8, 8), 7, np.float32)
    boxes = np.array([[0, 0, 10, 10], [5, 5, 20, 20]], np.float32)
    preprocess_into(noise(30, 30), "luma", boxes, spec, out, row=2)
    assert (out[[0, 1, 4]] == 7).all()
    assert (out[2:4] < 1.001).all()
