"""Bytes to pixels: luma for everybody, colour only where a model asked for it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from ferserve.errors import InvalidFrameError
from ferserve.types import EncodedImage, PixelFormat, RawImage
from ferserve.vision.image_header import ImageHeader, read_header

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded, upright frame: ``luma`` uint8 (H, W), possibly a strided view; ``bgr`` uint8 (H, W, 3) or None."""

    luma: Pixels
    bgr: Pixels | None = None

    @property
    def width(self) -> int:
        """Columns, px."""
        return int(self.luma.shape[1])

    @property
    def height(self) -> int:
        """Rows, px."""
        return int(self.luma.shape[0])


def decode(image: EncodedImage | RawImage, *, color: bool, max_pixels: int) -> Picture:
    """Decode ``image`` to BT.601 luma, and to BGR too where ``color`` is set.

    The size is checked against ``max_pixels`` before anything is decoded. Raises :class:`InvalidFrameError`.
    """
    if isinstance(image, RawImage):
        _require_pixels(image.width, image.height, max_pixels)
        return _decode_raw(image, color)
    header = read_header(image.data)
    _require_pixels(header.width, header.height, max_pixels)
    if header.codec == "jpeg":
        return _decode_jpeg(image.data, header, color)
    return _decode_other(image.data, header, color)


LONGEST_SIDE_PX = 65_535
"""No JPEG is longer, and detectors and kernels count in as many."""


def _require_pixels(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise InvalidFrameError(f"frame must be at most {max_pixels} px, got {width}x{height}; scale it down")
    if max(width, height) > LONGEST_SIDE_PX:
        raise InvalidFrameError(
            f"frame must be at most {LONGEST_SIDE_PX} px wide and high, got {width}x{height}; scale it down"
        )


_MOST_SCANS = 100
"""Encoders write some ten; each scan may cost a pass over all pixels, and takes no more than 38 bytes."""


def _decode_jpeg(data: bytes, header: ImageHeader, color: bool) -> Picture:
    if header.progressive and (scans := data.count(b"\xff\xda")) > _MOST_SCANS:
        raise InvalidFrameError(
            f"encoded must have at most {_MOST_SCANS} scans, got a JPEG with {scans}; send it with one (baseline)"
        )
    try:
        if not color:
            luma = simplejpeg.decode_jpeg(data, "GRAY", fastdct=True)[:, :, 0]
            return Picture(_upright(luma, header.orientation))
        bgr = _upright(simplejpeg.decode_jpeg(data, "BGR", fastdct=True), header.orientation)
    except ValueError as error:
        raise InvalidFrameError(f"encoded must be a whole JPEG, got one that says: {error}") from None
    return Picture(_luma(bgr), bgr)


def _decode_other(data: bytes, header: ImageHeader, color: bool) -> Picture:
    try:
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)  # turns it upright by EXIF itself
    except cv2.error:
        bgr = None
    if bgr is None:
        raise InvalidFrameError(f"encoded must be a whole {header.codec.upper()}, got {len(data)} bytes cut or damaged")
    pixels = np.asarray(bgr, np.uint8)
    return Picture(_luma(pixels), pixels if color else None)


def _upright(pixels: Pixels, orientation: int) -> Pixels:
    """Undo EXIF's orientation (Exif 2.32, 4.6.4 A): a transpose for 5 to 8, then the flips that remain."""
    if orientation == 1:
        return pixels
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _luma(bgr: Pixels) -> Pixels:
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), np.uint8)


def _decode_raw(image: RawImage, color: bool) -> Picture:
    height, width = image.height, image.width
    data = np.frombuffer(image.data, np.uint8)
    stride = _check_raw(image, data.size)
    match image.pixel_format:
        case PixelFormat.GRAY8:
            luma = np.ndarray((height, width), np.uint8, data, strides=(stride, 1))
            return Picture(luma, _convert(luma, cv2.COLOR_GRAY2BGR) if color else None)
        case PixelFormat.BGR24 | PixelFormat.RGB24:
            pixels = np.ndarray((height, width, 3), np.uint8, data, strides=(stride, 3, 1))
            rgb = image.pixel_format is PixelFormat.RGB24
            luma = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY if rgb else cv2.COLOR_BGR2GRAY), np.uint8)
            return Picture(luma, (_convert(pixels, cv2.COLOR_RGB2BGR) if rgb else pixels) if color else None)
        case PixelFormat.YUYV:
            luma = np.ndarray((height, width), np.uint8, data, strides=(stride, 2))
            packed = np.ndarray((height, width, 2), np.uint8, data, strides=(stride, 2, 1))
            return Picture(luma, _convert(packed, cv2.COLOR_YUV2BGR_YUY2) if color else None)
        case PixelFormat.NV12:
            luma = np.ndarray((height, width), np.uint8, data, strides=(stride, 1))
            planes = np.ndarray((height * 3 // 2, width), np.uint8, data, strides=(stride, 1))
            return Picture(luma, _convert(planes, cv2.COLOR_YUV2BGR_NV12) if color else None)
        case PixelFormat.I420:
            luma = np.ndarray((height, width), np.uint8, data, strides=(stride, 1))
            return Picture(luma, _i420_to_bgr(data, width, height, stride) if color else None)


def _convert(pixels: Pixels, code: int) -> Pixels:
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels), code), np.uint8)


def _i420_to_bgr(data: Pixels, width: int, height: int, stride: int) -> Pixels:
    """OpenCV wants I420 without padding: copy the three planes together."""
    rows, half = height // 2, stride // 2
    y = np.ndarray((height, width), np.uint8, data, strides=(stride, 1))
    chroma = [
        np.ndarray((rows, width // 2), np.uint8, data, offset=height * stride + i * rows * half, strides=(half, 1))
        for i in range(2)
    ]
    packed = np.concatenate([plane.reshape(-1) for plane in (y, *chroma)]).reshape(height * 3 // 2, width)
    return _convert(packed, cv2.COLOR_YUV2BGR_I420)


_THREE_BYTES_A_PIXEL = (PixelFormat.BGR24, PixelFormat.RGB24)
_SUBSAMPLED = (PixelFormat.NV12, PixelFormat.I420)


def _check_raw(image: RawImage, size: int) -> int:
    """Check width, height, stride and ``size`` in bytes against the format; returns the stride in bytes."""
    layout, width, height = image.pixel_format, image.width, image.height
    if width < 1 or height < 1:
        raise InvalidFrameError(f"raw.width and height must be at least 1 px, got {width}x{height}")
    subsampled = layout in _SUBSAMPLED
    if width % 2 and (subsampled or layout is PixelFormat.YUYV):
        raise InvalidFrameError(f"raw.width must be even for {layout.value}, got {width}")
    if height % 2 and subsampled:
        raise InvalidFrameError(f"raw.height must be even for {layout.value}, got {height}")
    row = width * (3 if layout in _THREE_BYTES_A_PIXEL else 2 if layout is PixelFormat.YUYV else 1)
    stride = image.stride or row
    if stride < row or (layout is PixelFormat.I420 and stride % 2):
        even = " and even" if layout is PixelFormat.I420 else ""
        raise InvalidFrameError(f"raw.stride_bytes must be at least {row}{even} for {layout.value}, got {stride}")
    expected = stride * height * 3 // 2 if subsampled else stride * height
    if size != expected:
        raise InvalidFrameError(
            f"raw.data must be {expected} bytes for {width}x{height} {layout.value} with rows of {stride} bytes, "
            f"got {size}"
        )
    return stride
