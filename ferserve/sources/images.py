"""One picture as a payload: bytes, paths, arrays, images of other libraries."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from ferserve.errors import InvalidFrameError, explained_imports
from ferserve.types import Crops, EncodedImage, Payload, RawImage

if TYPE_CHECKING:
    from numpy.typing import NDArray


class SupportsArray(Protocol):
    """An array of NumPy, or an image of another library that NumPy can read: Pillow, PyTorch on the CPU."""

    def __array__(self) -> NDArray[Any]: ...


ImageLike: TypeAlias = SupportsArray | bytes | bytearray | memoryview | str | os.PathLike[str] | Payload
"""An array, an image of another library, the bytes of an image file, its path, or a payload.

Arrays are (H, W) or (H, W, 1) luma, (H, W, 3) colour, or (H, W, 4) with an alpha channel that is dropped. Values are
uint8, bool, or floating point in [0, 1].
"""

Color: TypeAlias = Literal["bgr", "rgb"]
"""Order of the colours in arrays; Pillow's images are RGB in any case."""


def payload_of(image: ImageLike, color: Color = "bgr") -> Payload:
    """The payload of one picture; ``color`` is the order of the colours in arrays.

    Raises :class:`InvalidFrameError` for anything that is no image, OSError for a file that cannot be read, and
    ImportError for an array if NumPy is missing.
    """
    if isinstance(image, EncodedImage | RawImage | Crops):
        return image
    if isinstance(image, bytes | bytearray | memoryview):
        return EncodedImage(bytes(image))
    if isinstance(image, str | os.PathLike):
        if "\0" in os.fsdecode(image):
            raise InvalidFrameError(f"image must be a path without NUL characters, got {os.fsdecode(image)!r}")
        return EncodedImage(Path(image).read_bytes())
    if _is_pillow(image) or hasattr(image, "__array__"):
        with explained_imports():
            from ferserve.sources.arrays import array_image, pillow_image
        return pillow_image(image) if _is_pillow(image) else array_image(image, color)
    hint = "; a camera's read() gives None if it has no frame" if image is None else ""
    raise InvalidFrameError(
        "image must be an array, the bytes or the path of an image file, or a payload, "
        f"got {type(image).__name__}{hint}"
    )


def is_one_picture(source: object) -> bool:
    """True for what could be iterated, but is a single picture: its rows or bytes are no frames."""
    if isinstance(source, bytes | bytearray | memoryview):
        return True
    shape = getattr(source, "shape", None)
    if shape is None or not hasattr(source, "__array__"):
        return _is_pillow(source)
    return len(shape) <= 2 or (len(shape) == 3 and shape[2] in (1, 3, 4))


def _is_pillow(image: object) -> bool:
    return hasattr(image, "__array_interface__") and hasattr(image, "getexif") and hasattr(image, "convert")
