"""Pictures of every kind that people have."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from ferserve.errors import InvalidFrameError
from ferserve.sources.images import payload_of
from ferserve.types import PixelFormat, RawImage
from tests import builders

BGR = builders.scene(0, 64, 48)
RGB = np.ascontiguousarray(BGR[:, :, ::-1])
LUMA = np.ascontiguousarray(BGR[:, :, 1])


class Tensor:
    """As PyTorch's on the CPU."""

    shape = BGR.shape

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray[Any, Any]:
        return BGR


class FarTensor(Tensor):
    """As PyTorch's on a GPU."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray[Any, Any]:
        raise TypeError("can't convert cuda:0 device type tensor to numpy")


@pytest.mark.parametrize(
    ("image", "color", "expected"),
    [
        (BGR, "bgr", BGR),
        (RGB, "rgb", BGR),
        (np.dstack([BGR, LUMA]), "bgr", BGR),
        (np.dstack([RGB, LUMA]), "rgb", BGR),
        (LUMA, "rgb", LUMA),
        (LUMA[:, :, None], "bgr", LUMA),
        (BGR / 255, "bgr", BGR),
        ((RGB / 255).astype(np.float32), "rgb", BGR),
        (LUMA > 100, "bgr", (LUMA > 100) * np.uint8(255)),
        (BGR[::2, ::-1], "bgr", BGR[::2, ::-1]),
        (Tensor(), "bgr", BGR),
        (Image.fromarray(RGB), "bgr", BGR),
        (Image.fromarray(RGB), "rgb", BGR),
        (Image.fromarray(RGB).convert("RGBA"), "bgr", BGR),
        (Image.fromarray(LUMA), "bgr", LUMA),
        (Image.fromarray(LUMA).convert("P"), "bgr", np.dstack([LUMA] * 3)),
        (Image.fromarray(LUMA > 100), "bgr", np.dstack([(LUMA > 100) * np.uint8(255)] * 3)),
    ],
)
def test_a_picture_is_taken_as_it_looks(image: Any, color: Any, expected: builders.Pixels) -> None:
    payload = payload_of(image, color)
    assert isinstance(payload, RawImage)
    assert payload.pixel_format is (PixelFormat.GRAY8 if expected.ndim == 2 else PixelFormat.BGR24)
    np.testing.assert_array_equal(payload.data, expected)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_phones_photograph_stands_upright(orientation: int) -> None:
    from io import BytesIO

    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    file = BytesIO()
    Image.fromarray(RGB).save(file, "PNG", exif=exif)
    opened = Image.open(BytesIO(file.getvalue()))
    payload = payload_of(opened)
    assert isinstance(payload, RawImage)
    np.testing.assert_array_equal(payload.data, np.asarray(ImageOps.exif_transpose(opened))[:, :, ::-1])


@pytest.mark.parametrize(
    ("image", "way_out"),
    [
        (None, "read.. gives None"),
        (np.zeros((3, 40, 40), np.uint8), r"transpose\(1, 2, 0\)"),
        (np.zeros((2, 40, 40, 3), np.uint8), "one by one"),
        (np.full((4, 4, 3), 200.0), r"astype\(np.uint8\) for 0 to 255"),
        (np.full((4, 4, 3), np.nan), r"must be in \[0, 1\] if it is floating point, got values from nan"),
        (np.zeros((4, 4), np.uint16), r"got uint16; scale it"),
        (np.zeros((4, 4), np.int64), r"got int64; scale it"),
        (Image.new("I;16", (4, 4)), "scale it"),
        (FarTensor(), "cuda:0.*; copy it to the CPU first"),
        ("a\0b.jpg", "NUL"),
        ([[1, 2], [3, 4]], "got list"),
    ],
)
def test_what_cannot_be_taken_says_what_to_do(image: Any, way_out: str) -> None:
    with pytest.raises(InvalidFrameError, match=way_out):
        payload_of(image)
