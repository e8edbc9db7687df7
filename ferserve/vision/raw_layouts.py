"""Layouts of uncompressed frames: a pixel format is one row of :data:`LAYOUTS`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from ferserve.errors import InvalidFrameError
from ferserve.types import PixelFormat, RawImage
from ferserve.vision.opencv import convert
from ferserve.vision.picture import Picture, Pixels


@dataclass(frozen=True, slots=True)
class RawLayout:
    """How a pixel format lies in memory, and the OpenCV conversions to luma and BGR."""

    bytes_per_px: int
    """Of the first plane."""
    to_bgr: int | None
    """OpenCV's conversion code; None if the frame is BGR already."""
    to_luma: int | None = None
    """OpenCV's conversion code; None if each pixel of the first plane holds its luma."""
    luma_offset: int = 0
    """Byte of the pixel that holds its luma."""
    chroma_planes: int = 0
    """Planes of 4:2:0 chroma after the luma plane: 1 with U and V interleaved, 2 with one each. The row of a chroma
    plane is the row of the luma plane divided by this number."""
    width_step: int = 1
    """The width must be a multiple of it."""

    @property
    def height_step(self) -> int:
        """The height must be a multiple of it."""
        return 2 if self.chroma_planes else 1

    def size_bytes(self, height: int, stride: int) -> int:
        """Bytes of all planes of a frame whose first plane has rows of ``stride`` bytes."""
        return stride * height * 3 // 2 if self.chroma_planes else stride * height


LAYOUTS: Mapping[PixelFormat, RawLayout] = {
    PixelFormat.GRAY8: RawLayout(1, cv2.COLOR_GRAY2BGR),
    PixelFormat.BGR24: RawLayout(3, None, cv2.COLOR_BGR2GRAY),
    PixelFormat.RGB24: RawLayout(3, cv2.COLOR_RGB2BGR, cv2.COLOR_RGB2GRAY),
    PixelFormat.NV12: RawLayout(1, cv2.COLOR_YUV2BGR_NV12, chroma_planes=1, width_step=2),
    PixelFormat.I420: RawLayout(1, cv2.COLOR_YUV2BGR_I420, chroma_planes=2, width_step=2),
    PixelFormat.YUYV: RawLayout(2, cv2.COLOR_YUV2BGR_YUY2, width_step=2),
}


def decode_raw(image: RawImage, *, color: bool) -> Picture:
    """Luma of ``image``, and BGR too if ``color``; both are views of its data if the format holds them as they are.

    Raises :class:`InvalidFrameError` if width, height, stride or the number of bytes do not fit the format, and
    MemoryError.
    """
    layout = LAYOUTS[image.pixel_format]
    data = np.frombuffer(image.data, np.uint8)
    stride = _checked_stride(image, layout, data.size)
    luma = _luma(image, layout, data, stride)
    return Picture(luma, _bgr(image, layout, data, stride) if color else None)


def _luma(image: RawImage, layout: RawLayout, data: Pixels, stride: int) -> Pixels:
    if layout.to_luma is not None:
        return convert(_first_plane(image, layout, data, stride), layout.to_luma)
    shape, strides = (image.height, image.width), (stride, layout.bytes_per_px)
    return np.ndarray(shape, np.uint8, data, layout.luma_offset, strides)


def _bgr(image: RawImage, layout: RawLayout, data: Pixels, stride: int) -> Pixels:
    if layout.chroma_planes:
        pixels = _stacked_planes(image, layout, data, stride)
    else:
        pixels = _first_plane(image, layout, data, stride)
    if layout.to_bgr is None:
        return pixels
    return convert(np.ascontiguousarray(pixels), layout.to_bgr)


def _first_plane(image: RawImage, layout: RawLayout, data: Pixels, stride: int) -> Pixels:
    """A view (H, W) or (H, W, bytes per pixel)."""
    size = layout.bytes_per_px
    if size == 1:
        return np.ndarray((image.height, image.width), np.uint8, data, strides=(stride, 1))
    return np.ndarray((image.height, image.width, size), np.uint8, data, strides=(stride, size, 1))


def _stacked_planes(image: RawImage, layout: RawLayout, data: Pixels, stride: int) -> Pixels:
    """All planes without their padding, (H * 3 / 2, W), as OpenCV reads 4:2:0."""
    shape = (image.height * 3 // 2, image.width)
    if stride == image.width:
        return data.reshape(shape)
    luma_bytes, planes = stride * image.height, layout.chroma_planes
    luma = data[:luma_bytes].reshape(image.height, stride)[:, : image.width]
    chroma = data[luma_bytes:].reshape(-1, stride // planes)[:, : image.width // planes]
    return np.concatenate([luma.reshape(-1), chroma.reshape(-1)]).reshape(shape)


def _checked_stride(image: RawImage, layout: RawLayout, size: int) -> int:
    """The length of a row of the first plane in bytes, after a check of ``image`` and its ``size`` in bytes."""
    name, width, height = image.pixel_format.value, image.width, image.height
    if width < 1 or height < 1:
        raise InvalidFrameError(f"raw.width and height must be at least 1 px, got {width}x{height}")
    if width % layout.width_step:
        raise InvalidFrameError(f"raw.width must be even for {name}, got {width}")
    if height % layout.height_step:
        raise InvalidFrameError(f"raw.height must be even for {name}, got {height}")
    row = width * layout.bytes_per_px
    stride = image.stride or row
    uneven = layout.chroma_planes == 2 and stride % 2 == 1  # a row of half the length would end within a byte
    if stride < row or uneven:
        even = " and even" if layout.chroma_planes == 2 else ""
        raise InvalidFrameError(f"raw.stride_bytes must be at least {row}{even} for {name}, got {stride}")
    expected = layout.size_bytes(height, stride)
    if size != expected:
        raise InvalidFrameError(
            f"raw.data must be {expected} bytes for {width}x{height} {name} with rows of {stride} bytes, got {size}"
        )
    return stride
