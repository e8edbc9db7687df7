"""One picture as a payload: bytes, paths, arrays, images of other libraries."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from ferserve.errors import InvalidFrameError, explained_imports
from ferserve.types import Crops, EncodedImage, Payload, RawImage

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Readable(Protocol):
    """A binary file, as far as it is read here."""

    def read(self, size: int, /) -> bytes: ...


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

MAX_FILE_BYTES = 256 * 1024 * 1024
"""Largest image file that is read; the largest picture that can be decoded takes less, even as a plain BMP."""

_READ_BYTES = 1 << 22


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
        with open(image, "rb") as file:
            return EncodedImage(read_image(file))
    if _is_pillow(image) or hasattr(image, "__array__"):
        with explained_imports():
            from ferserve.sources.arrays import array_image, pillow_image
        return pillow_image(image) if _is_pillow(image) else array_image(image, color)
    hint = "; a camera's read() gives None if it has no frame" if image is None else ""
    raise InvalidFrameError(
        "image must be an array, the bytes or the path of an image file, or a payload, "
        f"got {type(image).__name__}{hint}"
    )


def read_image(file: Readable) -> bytes:
    """The rest of ``file``, which may be a pipe; raises :class:`InvalidFrameError` for one without a sensible end."""
    parts, size = [], 0
    while part := file.read(_READ_BYTES):
        parts.append(part)
        size += len(part)
        if size > MAX_FILE_BYTES:
            raise InvalidFrameError(f"image must be a file of at most {MAX_FILE_BYTES} bytes, got more; scale it down")
    return b"".join(parts)


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
