"""Bytes to pixels: luma always, colour only if a model or a detector asks for it."""

from __future__ import annotations

from ferserve.errors import InvalidFrameError, OverloadedError
from ferserve.types import EncodedImage, RawImage
from ferserve.vision.exif import turn_upright
from ferserve.vision.gif_header import TRAILER as GIF_TRAILER
from ferserve.vision.heif import decode_heif
from ferserve.vision.image_header import Codec, ImageHeader
from ferserve.vision.jpeg import decode_jpeg
from ferserve.vision.opencv import decode_by_opencv, luma_of
from ferserve.vision.picture import Picture, Pixels
from ferserve.vision.raw_layouts import decode_raw
from ferserve.vision.read_header import read_header
from ferserve.vision.tiff_pixels import require_whole_pixels

MAX_SIDE_PX = 65_535
"""Detectors and kernels count no further."""


def decode(image: EncodedImage | RawImage, *, color: bool, max_pixels: int) -> Picture:
    """Decode ``image`` to BT.601 luma, and to BGR too if ``color`` is set.

    The size is checked against ``max_pixels`` before anything is decoded. Raises :class:`InvalidFrameError`, and
    :class:`OverloadedError` if memory runs out.
    """
    try:
        if isinstance(image, RawImage):
            _require_pixels(image.width, image.height, max_pixels)
            return decode_raw(image, color=color)
        header = read_header(image.data)
        _require_pixels(header.width, header.height, max_pixels)
        if header.codec == "jpeg":
            return decode_jpeg(image.data, header, color=color)
        return _decode_other(image.data, header, color)
    except MemoryError:
        raise OverloadedError(
            "memory must suffice for the pixels of a frame, got an allocation that failed; try again, or scale it down"
        ) from None


def _require_pixels(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise InvalidFrameError(f"frame must be at most {max_pixels} px, got {width}x{height}; scale it down")
    if max(width, height) > MAX_SIDE_PX:
        raise InvalidFrameError(
            f"frame must be at most {MAX_SIDE_PX} px wide and high, got {width}x{height}; scale it down"
        )


def _decode_other(data: bytes, header: ImageHeader, color: bool) -> Picture:
    if header.codec == "tiff":
        require_whole_pixels(data)
    if header.end is not None:
        data = data[: header.end] + GIF_TRAILER  # frames that nobody asked for are not decoded
    stored = _decode_stored(data, header.codec)
    if stored is None:
        raise InvalidFrameError(f"encoded must be a whole {header.codec.upper()}, got {len(data)} bytes cut or damaged")
    bgr = turn_upright(stored, header.orientation)
    return Picture(luma_of(bgr), bgr if color else None, header.note)


def _decode_stored(data: bytes, codec: Codec) -> Pixels | None:
    """BGR (H, W, 3) as stored; None if the file is cut off or damaged."""
    if codec == "heic" or codec == "avif":
        return decode_heif(data, codec)
    return decode_by_opencv(data, codec, color=True)
