"""Bytes to pixels: luma always, colour only if a model or a detector asks for it."""

from __future__ import annotations

import cv2
import numpy as np
import simplejpeg

from ferserve.errors import InvalidFrameError
from ferserve.types import EncodedImage, RawImage
from ferserve.vision.image_header import ImageHeader, read_header
from ferserve.vision.picture import Picture, Pixels
from ferserve.vision.raw_layouts import decode_raw

LONGEST_SIDE_PX = 65_535
"""The largest side of a JPEG, and of what detectors and kernels can count."""
_MAX_SCANS = 100
"""Encoders write about ten; a scan takes as few as 38 bytes and may cost a pass over all pixels."""


def decode(image: EncodedImage | RawImage, *, color: bool, max_pixels: int) -> Picture:
    """Decode ``image`` to BT.601 luma, and to BGR too if ``color`` is set.

    The size is checked against ``max_pixels`` before anything is decoded. Raises :class:`InvalidFrameError`.
    """
    if isinstance(image, RawImage):
        _require_pixels(image.width, image.height, max_pixels)
        return decode_raw(image, color=color)
    header = read_header(image.data)
    _require_pixels(header.width, header.height, max_pixels)
    if header.codec == "jpeg":
        return _decode_jpeg(image.data, header, color)
    return _decode_other(image.data, header, color)


def _require_pixels(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise InvalidFrameError(f"frame must be at most {max_pixels} px, got {width}x{height}; scale it down")
    if max(width, height) > LONGEST_SIDE_PX:
        raise InvalidFrameError(
            f"frame must be at most {LONGEST_SIDE_PX} px wide and high, got {width}x{height}; scale it down"
        )


def _decode_jpeg(data: bytes, header: ImageHeader, color: bool) -> Picture:
    if header.progressive and (scans := data.count(b"\xff\xda")) > _MAX_SCANS:
        raise InvalidFrameError(
            f"encoded must have at most {_MAX_SCANS} scans, got a JPEG with {scans}; send it with one (baseline)"
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
