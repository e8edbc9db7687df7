"""OpenCV's decoders and conversions, with a want of memory told apart from damage."""

from __future__ import annotations

import cv2
import numpy as np

from ferserve.errors import InvalidFrameError
from ferserve.vision.picture import Pixels


def decode_by_opencv(data: bytes, codec: str, *, color: bool) -> Pixels | None:
    """BGR (H, W, 3) if ``color``, else luma (H, W), as stored; None if the file is cut off or damaged.

    Raises :class:`InvalidFrameError` for what OpenCV refuses by a limit of its own, and MemoryError.
    """
    flags = (cv2.IMREAD_COLOR if color else cv2.IMREAD_GRAYSCALE) | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError from None
        raise InvalidFrameError(
            f"encoded must be a {codec.upper()} that OpenCV can decode, got one of which it says: {error.err}"
        ) from None
    return None if pixels is None else np.asarray(pixels, np.uint8)


def require_room(size_bytes: int) -> None:
    """Raises MemoryError unless there is room for ``size_bytes``: some decoders call a failed allocation damage."""
    np.empty(size_bytes, np.uint8)


def convert(pixels: Pixels, code: int) -> Pixels:
    """``cv2.cvtColor``, with a MemoryError if there is no memory for its result."""
    try:
        return np.asarray(cv2.cvtColor(pixels, code), np.uint8)
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError from None
        raise


def luma_of(bgr: Pixels) -> Pixels:
    """BT.601 luma (H, W) of BGR (H, W, 3)."""
    return convert(bgr, cv2.COLOR_BGR2GRAY)
