"""Pictures that are arrays, and images of other libraries, as payloads. Everything here needs NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferserve.errors import InvalidFrameError
from ferserve.types import PixelFormat, RawImage

_FLOAT_SLACK = 1e-3
"""How far interpolation may overshoot [0, 1]."""

_ORIENTATION_TAG = 0x0112


def array_image(image: Any, color: str) -> RawImage:
    """The payload of an array, or of an image that NumPy can read; raises :class:`InvalidFrameError`."""
    return raw_image(_pixels(_as_array(image), color))


def pillow_image(image: Any) -> RawImage:
    """The payload of an image of Pillow; raises :class:`InvalidFrameError`."""
    return raw_image(_pixels(_upright_array(image), "rgb"))


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


def _upright_array(image: Any) -> NDArray[Any]:
    """RGB or luma of a Pillow image, turned as its EXIF data say."""
    try:
        orientation = image.getexif().get(_ORIENTATION_TAG, 1)
        if image.mode not in ("L", "RGB", "F") and not image.mode.startswith("I"):
            image = image.convert("RGB")
        pixels = np.asarray(image)
    except Exception as error:  # decoders of damaged files raise all kinds of errors
        raise InvalidFrameError(f"image must be a whole picture, got one that Pillow cannot read: {error}") from None
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def _as_array(image: Any) -> NDArray[Any]:
    try:
        return np.asarray(image)
    except Exception as error:  # of another library, such as a tensor on a GPU
        raise InvalidFrameError(
            f"image must be readable as an array, got {type(image).__name__}: {error}; copy it to the CPU first"
        ) from None


def _pixels(array: NDArray[Any], color: str) -> NDArray[np.uint8]:
    """uint8 (H, W) or (H, W, 3) BGR."""
    if color not in ("bgr", "rgb"):
        raise InvalidFrameError(f"color must be 'bgr' or 'rgb', got {color!r}")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim == 3 and array.shape[2] == 4:
        array = array[:, :, :3]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3) or 0 in array.shape:
        raise InvalidFrameError(
            "image must be an array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), none of them of zero size, "
            f"got {array.dtype} {array.shape}{_shape_hint(array.shape)}"
        )
    pixels = _as_uint8(array)
    return np.ascontiguousarray(pixels[:, :, ::-1]) if pixels.ndim == 3 and color == "rgb" else pixels


def _shape_hint(shape: tuple[int, ...]) -> str:
    if len(shape) == 3 and shape[0] in (1, 3, 4):
        return "; move the channels to the end (transpose(1, 2, 0))"
    return "; pass the images of a batch one by one" if len(shape) == 4 else ""


def _as_uint8(array: NDArray[Any]) -> NDArray[np.uint8]:
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    if not np.issubdtype(array.dtype, np.floating):
        raise InvalidFrameError(
            f"image must be uint8, bool, or floating point in [0, 1], got {array.dtype}; scale it to 0 to 255 and use "
            "astype(np.uint8)"
        )
    low, high = float(array.min()), float(array.max())
    if not (low >= -_FLOAT_SLACK and high <= 1 + _FLOAT_SLACK):  # nor if one is NaN
        raise InvalidFrameError(
            f"image must be in [0, 1] if it is floating point, got values from {low:g} to {high:g}; scale it, or use "
            "astype(np.uint8) for 0 to 255"
        )
    return np.asarray(np.rint(np.clip(array, 0, 1) * 255), np.uint8)
