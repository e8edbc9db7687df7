"""How arrays travel: as they are, or as JPEG."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ferserve.errors import InvalidOptionsError
from ferserve.sources.images import raw_image
from ferserve.types import EncodedImage, Payload, PixelFormat, RawImage

Encoding = Literal["auto", "raw", "jpeg"]


@dataclass(frozen=True)
class ArrayPacker:
    """Packs images that are arrays for the way; any other payload travels as it is.

    ``jpeg`` compresses with ``quality`` of 100; ``luma`` first drops the colour, which no model needs.
    """

    jpeg: bool
    luma: bool
    quality: int = 90

    def __call__(self, payload: Payload) -> Payload:
        if not (isinstance(payload, RawImage) and isinstance(payload.data, np.ndarray) and payload.data.ndim >= 2):
            return payload
        array = payload.data
        if self.luma and payload.pixel_format is PixelFormat.BGR24:
            array = _without_colour(array)
        if self.jpeg and payload.pixel_format in (PixelFormat.BGR24, PixelFormat.GRAY8):
            return self._compress(array)
        return payload if array is payload.data else raw_image(array)

    def _compress(self, array: NDArray[np.uint8]) -> EncodedImage:
        import simplejpeg

        grey = array.ndim == 2
        pixels = np.ascontiguousarray(array[:, :, None] if grey else array)
        colorspace, subsampling = ("GRAY", "Gray") if grey else ("BGR", "420")
        return EncodedImage(
            simplejpeg.encode_jpeg(pixels, self.quality, colorspace, colorsubsampling=subsampling, fastdct=True)
        )


def _without_colour(bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Luma (H, W) of BGR (H, W, 3); the array itself if OpenCV is not installed, since the server drops colour too."""
    try:
        import cv2
    except ImportError:
        return bgr
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), np.uint8)


def wants_jpeg(encoding: Encoding, target: str) -> bool:
    """``auto`` compresses unless the server is on this machine: docs/protocol.md has the figures."""
    if encoding not in ("auto", "raw", "jpeg"):
        raise InvalidOptionsError(f"encoding must be auto, raw or jpeg, got {encoding!r}")
    return encoding == "jpeg" or (encoding == "auto" and not is_local(target))


def is_local(target: str) -> bool:
    """True for addresses of this very machine."""
    host = target.removeprefix("dns:///").rpartition(":")[0].strip("[]")
    return target.startswith("unix:") or host in ("localhost", "::1") or host.startswith("127.")
