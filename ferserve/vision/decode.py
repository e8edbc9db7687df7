"""Bytes to pixels: luma always, colour only if a model or a detector asks for it."""

from __future__ import annotations

import threading

from ferserve.errors import InvalidFrameError, OverloadedError
from ferserve.types import EncodedImage, RawImage
from ferserve.vision.budget import FrameBudget, FrameLimits
from ferserve.vision.decoding_cost import decoding_bytes
from ferserve.vision.exif import turn_upright
from ferserve.vision.gif_header import TRAILER as GIF_TRAILER
from ferserve.vision.heif import decode_heif
from ferserve.vision.image_header import Codec, ImageHeader
from ferserve.vision.jpeg import decode_jpeg
from ferserve.vision.opencv import decode_by_opencv, luma_of, require_room
from ferserve.vision.picture import Picture, Pixels
from ferserve.vision.png_pixels import pixels_alone
from ferserve.vision.raw_layouts import decode_raw
from ferserve.vision.read_header import read_header
from ferserve.vision.tiff_pixels import require_whole_pixels
from ferserve.vision.webp_header import frame_alone

_LARGE_BYTES = 64 * 1024 * 1024
_TURNED = ("tiff", "heic", "avif")
"""Codecs whose decoders turn a picture upright."""
_large = threading.Lock()
"""Held while a large image is decoded: one at a time, or as many as there are threads would add up to gigabytes."""


def decode(
    image: EncodedImage | RawImage,
    *,
    color: bool,
    max_pixels: int = 0,
    budget: FrameBudget | None = None,
    use_truncated: bool = False,
) -> Picture:
    """Decode ``image`` to BT.601 luma, and to BGR too if ``color`` is set.

    What it costs is taken from the ``budget`` of its frame before anything is decoded; an image that comes alone may
    have ``max_pixels`` instead. ``use_truncated`` is :attr:`ferserve.options.FrameOptions.use_truncated`. Raises
    :class:`InvalidFrameError`, and :class:`OverloadedError` if memory runs out.
    """
    size_bytes = len(image.data) if isinstance(image, EncodedImage) else image.data_bytes
    budget = budget or FrameBudget(FrameLimits(max_pixels), size_bytes)
    try:
        if isinstance(image, RawImage):
            budget.take_pixels(image.width, image.height)
            return decode_raw(image, color=color)
        return _decode_file(image.data, color, budget, use_truncated)
    except MemoryError:
        raise OverloadedError(
            "memory must suffice for the pixels of a frame, got an allocation that failed; try again, or scale it down"
        ) from None


def _decode_file(data: bytes, color: bool, budget: FrameBudget, use_truncated: bool) -> Picture:
    header = read_header(data)
    budget.take_pixels(header.width, header.height)
    size_bytes = decoding_bytes(data, header, color=color)
    budget.take_decoding(header.codec, size_bytes)
    if size_bytes <= _LARGE_BYTES:
        return _decode_by_codec(data, header, color, use_truncated)
    with _large:
        return _decode_by_codec(data, header, color, use_truncated)


def _decode_by_codec(data: bytes, header: ImageHeader, color: bool, use_truncated: bool) -> Picture:
    if header.codec == "jpeg":
        return decode_jpeg(data, header, color=color, use_truncated=use_truncated)
    return _decode_other(data, header, color)


def _decode_other(data: bytes, header: ImageHeader, color: bool) -> Picture:
    if header.codec == "tiff":
        require_whole_pixels(data)
    stored = _decode_stored(_first_image(data, header), header.codec)
    if stored is None:
        require_room(decoding_bytes(data, header, color=color))
        raise InvalidFrameError(f"encoded must be a whole {header.codec.upper()}, got {len(data)} bytes cut or damaged")
    if header.codec not in _TURNED and stored.shape[:2] != (header.height, header.width):
        raise InvalidFrameError(
            f"encoded must be a valid {header.codec.upper()}, got a header of {header.width}x{header.height} px for "
            f"{stored.shape[1]}x{stored.shape[0]}"
        )
    bgr = turn_upright(stored, header.orientation)
    return Picture(luma_of(bgr), bgr if color else None, header.note)


def _decode_stored(data: bytes, codec: Codec) -> Pixels | None:
    """BGR (H, W, 3) as stored; None if the file is cut off or damaged."""
    if codec == "heic" or codec == "avif":
        return decode_heif(data, codec)
    return decode_by_opencv(data, codec, color=True)


def _first_image(data: bytes, header: ImageHeader) -> bytes:
    """``data`` without what nobody asked for: further frames, alpha, profiles, texts."""
    if header.codec == "png":
        return pixels_alone(data)
    if header.codec == "webp":
        return frame_alone(data)
    return data if header.end is None else data[: header.end] + GIF_TRAILER
