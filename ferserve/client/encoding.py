"""How arrays travel: as they are, or as JPEG."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

from ferserve.addresses import is_loopback
from ferserve.errors import InvalidOptionsError, explained_imports
from ferserve.types import EncodedImage, Payload, PixelFormat, RawImage
from ferserve.types.arrays import is_array

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Encoding = Literal["auto", "raw", "jpeg"]

MAX_RAW_BYTES = 63 * 1024 * 1024
"""Of an array that ``auto`` sends as it is; a server takes messages of 64 MiB by default."""


@dataclass(frozen=True)
class ArrayPacker:
    """Packs images that are arrays for the way; any other payload travels as it is.

    ``jpeg`` compresses with ``quality`` of 100, and so is what has more than ``max_raw_bytes``; ``luma`` first drops
    the colour, which no model needs.
    """

    jpeg: bool
    luma: bool
    quality: int = 90
    max_raw_bytes: float = MAX_RAW_BYTES

    def __call__(self, payload: Payload) -> Payload:
        if not (isinstance(payload, RawImage) and is_array(payload.data) and payload.data.ndim >= 2):
            return payload
        array = payload.data
        if self.luma and payload.pixel_format is PixelFormat.BGR24:
            array = _without_colour(array)
        too_large = array.nbytes > self.max_raw_bytes
        if (self.jpeg or too_large) and payload.pixel_format in (PixelFormat.BGR24, PixelFormat.GRAY8):
            return self._compress(array)
        if array is payload.data:
            return payload
        return RawImage(PixelFormat.GRAY8, payload.width, payload.height, array)

    def _compress(self, array: NDArray[np.uint8]) -> EncodedImage:
        with explained_imports():
            import numpy as np
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
    grey: NDArray[np.uint8] = cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY)
    return grey


def wants_jpeg(encoding: Encoding, target: str) -> bool:
    """``auto`` compresses unless the server is on this machine (docs/protocol.md has the figures) or simplejpeg is
    missing.
    """
    if encoding not in ("auto", "raw", "jpeg"):
        raise InvalidOptionsError(f"encoding must be auto, raw or jpeg, got {encoding!r}")
    return encoding == "jpeg" or (encoding == "auto" and not is_local(target) and find_spec("simplejpeg") is not None)


def is_local(target: str) -> bool:
    """True for addresses of this very machine."""
    scheme, _, rest = target.partition(":")
    if scheme.startswith("unix"):
        return True
    address = rest.removeprefix("//").partition("/")[2] if rest.startswith("//") else rest
    host = (address if scheme in ("dns", "ipv4", "ipv6") else target).rpartition(":")[0]
    return is_loopback(host)
