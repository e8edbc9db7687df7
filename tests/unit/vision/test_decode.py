"""Decoded pixels against Pillow and OpenCV."""

import io

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from ferserve.errors import InvalidFrameError
from ferserve.types import EncodedImage, PixelFormat, RawImage
from ferserve.vision.decode import decode
from ferserve.vision.picture import Picture
from tests.unit.vision.budgets import unlimited

RGB: NDArray[np.uint8] = np.ascontiguousarray(data.astronaut()[:240, 100:420])


def _encode(codec: str, **options: object) -> EncodedImage:
    buffer = io.BytesIO()
    Image.fromarray(RGB).save(buffer, codec, **options)
    return EncodedImage(buffer.getvalue())


def _expected_luma(image: EncodedImage) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(image.data)).convert("L"), np.uint8)


def _assert_close(actual: NDArray[np.uint8], expected: NDArray[np.uint8], mean: float) -> None:
    assert actual.shape == expected.shape
    difference = np.abs(actual.astype(int) - expected.astype(int))
    assert difference.mean() < mean
    assert np.percentile(difference, 99) <= 4


@pytest.mark.parametrize("codec", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
@pytest.mark.parametrize("color", [False, True])
def test_luma_is_what_pillow_sees(codec: str, color: bool) -> None:
    image = _encode(codec)
    picture = decode(image, color=color, budget=unlimited())
    _assert_close(picture.luma, _expected_luma(image), 1.0)
    assert (picture.bgr is not None) == color
    if picture.bgr is not None:
        expected = np.asarray(Image.open(io.BytesIO(image.data)).convert("RGB"))[:, :, ::-1]
        _assert_close(picture.bgr, expected, 1.5)


@pytest.mark.parametrize("codec", ["JPEG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_photograph_comes_out_upright(codec: str, orientation: int) -> None:
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    image = _encode(codec, exif=exif)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(image.data)))
    picture = decode(image, color=False, budget=unlimited())
    _assert_close(picture.luma, np.asarray(upright.convert("L")), 1.0)


def _padded(rows: NDArray[np.uint8], stride: int) -> bytes:
    flat = rows.reshape(len(rows), -1)
    return np.pad(flat, ((0, 0), (0, stride - flat.shape[1])), constant_values=77).tobytes()


def _yuv(pixel_format: PixelFormat, pad: int) -> tuple[RawImage, NDArray[np.uint8], NDArray[np.uint8]]:
    """A raw YUV frame, its Y plane, and OpenCV's colours for it."""
    height, width = RGB.shape[:2]
    i420 = cv2.cvtColor(RGB, cv2.COLOR_RGB2YUV_I420)
    luma = i420[:height]
    u, v = (i420[height + i * height // 4 : height + (i + 1) * height // 4].reshape(height // 2, -1) for i in (0, 1))
    stride = width + pad
    if pixel_format is PixelFormat.I420:
        planes = _padded(luma, stride) + _padded(u, stride // 2) + _padded(v, stride // 2)
        return RawImage(pixel_format, width, height, planes, stride), luma, cv2.cvtColor(i420, cv2.COLOR_YUV2BGR_I420)
    if pixel_format is PixelFormat.NV12:
        uv = np.stack([u, v], axis=2).reshape(height // 2, width)
        planes = _padded(luma, stride) + _padded(uv, stride)
        bgr = cv2.cvtColor(np.vstack([luma, uv]), cv2.COLOR_YUV2BGR_NV12)
        return RawImage(pixel_format, width, height, planes, stride), luma, bgr
    packed = np.empty((height, width, 2), np.uint8)
    packed[:, :, 0] = luma
    packed[:, 0::2, 1] = np.repeat(u, 2, axis=0)
    packed[:, 1::2, 1] = np.repeat(v, 2, axis=0)
    image = RawImage(pixel_format, width, height, _padded(packed, 2 * width + pad), 2 * width + pad)
    return image, luma, cv2.cvtColor(packed, cv2.COLOR_YUV2BGR_YUY2)


@pytest.mark.parametrize("pad", [0, 32])
@pytest.mark.parametrize("pixel_format", [PixelFormat.NV12, PixelFormat.I420, PixelFormat.YUYV])
def test_camera_formats_give_their_own_luma_plane(pixel_format: PixelFormat, pad: int) -> None:
    image, luma, bgr = _yuv(pixel_format, pad)
    picture = decode(image, color=True, budget=unlimited())
    np.testing.assert_array_equal(picture.luma, luma)
    assert picture.bgr is not None
    np.testing.assert_array_equal(picture.bgr, bgr)
    assert decode(image, color=False, budget=unlimited()).bgr is None


@pytest.mark.parametrize("pad", [0, 5])
def test_packed_formats(pad: int) -> None:
    height, width = RGB.shape[:2]
    bgr = RGB[:, :, ::-1]
    grey = cv2.cvtColor(RGB, cv2.COLOR_RGB2GRAY)
    stride = 3 * width + pad
    pictures: list[Picture] = [
        decode(RawImage(kind, width, height, _padded(pixels, stride), stride), color=True, budget=unlimited())
        for kind, pixels in ((PixelFormat.RGB24, RGB), (PixelFormat.BGR24, bgr))
    ]
    for picture in pictures:
        np.testing.assert_array_equal(picture.luma, grey)
        assert picture.bgr is not None
        np.testing.assert_array_equal(picture.bgr, bgr)
    raw = RawImage(PixelFormat.GRAY8, width, height, _padded(grey, width + pad), width + pad)
    np.testing.assert_array_equal(decode(raw, color=False, budget=unlimited()).luma, grey)


def test_luma_is_bt601_in_float64() -> None:
    expected = RGB.astype(np.float64) @ [0.299, 0.587, 0.114]  # ITU-R BT.601-7, section 2.5.1
    raw = RawImage(PixelFormat.RGB24, RGB.shape[1], RGB.shape[0], RGB.tobytes())
    assert np.abs(decode(raw, color=False, budget=unlimited()).luma - expected).max() <= 1


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (RawImage(PixelFormat.GRAY8, 4, 4, bytes(15)), "raw.data must be 16 bytes"),
        (RawImage(PixelFormat.GRAY8, 4, 4, bytes(17)), "got 17"),
        (RawImage(PixelFormat.BGR24, 4, 4, bytes(48), stride=11), "raw.stride_bytes must be at least 12"),
        (RawImage(PixelFormat.NV12, 5, 4, bytes(30)), "raw.width must be even for nv12, got 5"),
        (RawImage(PixelFormat.I420, 4, 5, bytes(30)), "raw.height must be even for i420, got 5"),
        (RawImage(PixelFormat.YUYV, 3, 1, bytes(6)), "raw.width must be even for yuyv, got 3"),
        (RawImage(PixelFormat.GRAY8, 0, 4, b""), "raw.width and height must be at least 1 px, got 0x4"),
        (RawImage(PixelFormat.GRAY8, 5000, 5000, b""), "frame must be at most 10000000 px, got 5000x5000"),
        (EncodedImage(_encode("JPEG").data[:-400]), "must be a whole JPEG"),
        (EncodedImage(_encode("PNG").data[:5000]), "must be a whole PNG"),
        (EncodedImage(_encode("WEBP").data[:1000]), "must be a whole WEBP"),
    ],
)
def test_frames_that_cannot_be_read(image: EncodedImage | RawImage, message: str) -> None:
    with pytest.raises(InvalidFrameError) as caught:
        decode(image, color=False, budget=unlimited())
    assert message in str(caught.value)
