"""One picture as a payload, whatever holds it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ferserve.errors import InvalidFrameError
from ferserve.types import Crops, EncodedImage, Payload, PixelFormat, RawImage

ImageLike: TypeAlias = NDArray[np.uint8] | bytes | bytearray | memoryview | str | os.PathLike[str] | Payload
"""uint8 (H, W) luma, uint8 (H, W, 3) BGR, the bytes of an image file, its path, or a payload."""


def raw_image(array: NDArray[Any]) -> RawImage:
    """``array``, which must be uint8 (H, W) luma or (H, W, 3) BGR; raises :class:`InvalidFrameError`."""
    shaped = array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)
    if array.dtype != np.uint8 or not shaped or 0 in array.shape:
        raise InvalidFrameError(
            "image must be a uint8 array (H, W) of luma or (H, W, 3) of BGR, neither of zero size, "
            f"got {array.dtype} {array.shape}"
        )
    height, width = array.shape[:2]
    pixel_format = PixelFormat.GRAY8 if array.ndim == 2 else PixelFormat.BGR24
    return RawImage(pixel_format, width, height, np.ascontiguousarray(array))


def payload_of(image: ImageLike) -> Payload:
    """What ``image`` holds.

    Raises :class:`InvalidFrameError` for anything that is no image, and OSError for a file that cannot be read.
    """
    if isinstance(image, EncodedImage | RawImage | Crops):
        return image
    if isinstance(image, np.ndarray):
        return raw_image(image)
    if isinstance(image, bytes | bytearray | memoryview):
        return EncodedImage(bytes(image))
    if isinstance(image, str | os.PathLike):
        return EncodedImage(Path(image).read_bytes())
    raise InvalidFrameError(
        f"image must be an array, the bytes or the path of an image file, or a payload, got {type(image).__name__}"
    )
