"""HEIC and AVIF, as phones write them. The extra ``heic`` reads them: pillow-heif the one, Pillow the other."""

from __future__ import annotations

import io
from typing import Any, Literal, TypeAlias

import numpy as np

from ferserve.errors import InvalidFrameError
from ferserve.vision.exif import UPRIGHT
from ferserve.vision.image_header import ImageHeader
from ferserve.vision.picture import Pixels

HeifCodec: TypeAlias = Literal["heic", "avif"]

_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"mif2", b"msf1"}
_AVIF_BRANDS = {b"avif", b"avis"}
_ORIENTATION_TAG = 0x0112


def heif_codec(data: bytes) -> HeifCodec | None:
    """Which of the two ``data`` is by its brands (ISO/IEC 23008-12); None for MP4, which has the same container."""
    if data[4:8] != b"ftyp":
        return None
    end = min(int.from_bytes(data[:4], "big"), len(data))
    major, compatible = data[8:12], {data[at : at + 4] for at in range(16, end, 4)}
    if major in _AVIF_BRANDS or (major in _HEIC_BRANDS and compatible & _AVIF_BRANDS):
        return "avif"
    return "heic" if major in _HEIC_BRANDS else None


def read_heif_header(data: bytes, codec: HeifCodec) -> ImageHeader:
    """Size as the decoder gives it: a HEIC comes upright, an AVIF as stored.

    Raises :class:`InvalidFrameError` for a damaged file, and if the extra is not installed.
    """
    image = _open(data, codec)
    width, height = image.size
    if codec == "heic":
        note = "only the primary image of a HEIC was taken" if len(image) > 1 else ""
        return ImageHeader(codec, width, height, note=note)
    note = "only the first frame of an AVIF was taken" if image.n_frames > 1 else ""
    return ImageHeader(codec, width, height, image.getexif().get(_ORIENTATION_TAG, UPRIGHT), note=note)


def decode_heif(data: bytes, codec: HeifCodec) -> Pixels:
    """BGR (H, W, 3), with its transparency left out; raises as :func:`read_heif_header` does, and MemoryError."""
    image = _open(data, codec)
    try:
        pixels = np.asarray(image if codec == "heic" else image.convert("RGB"))
    except (OSError, RuntimeError, SyntaxError, ValueError, EOFError) as error:
        raise _damaged(data, codec, error) from None
    if pixels.dtype == np.uint16:  # luma of more than 8 bits, scaled to 16
        pixels = pixels >> 8
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[:, :, None], 3, axis=2)
    bgr = pixels[:, :, :3] if codec == "heic" else pixels[:, :, ::-1]
    return np.ascontiguousarray(bgr, np.uint8)


def _open(data: bytes, codec: HeifCodec) -> Any:
    """The image with its header read; its pixels are decoded when asked for."""
    try:
        if codec == "heic":
            import pillow_heif

            return pillow_heif.open_heif(data, bgr_mode=True)
        from PIL.AvifImagePlugin import SUPPORTED, AvifImageFile

        if not SUPPORTED:
            raise ImportError("this Pillow is built without AVIF")
        return AvifImageFile(io.BytesIO(data))
    except ImportError:
        package = "pillow-heif" if codec == "heic" else "'pillow>=11.3'"
        raise InvalidFrameError(
            f"cannot decode a {codec.upper()}: {package} is not installed where the models run; pip install "
            f"{package}, or send JPEG"
        ) from None
    except (OSError, RuntimeError, SyntaxError, ValueError, EOFError) as error:
        raise _damaged(data, codec, error) from None


def _damaged(data: bytes, codec: HeifCodec, error: Exception) -> InvalidFrameError:
    reason = " ".join(str(error).split())
    return InvalidFrameError(f"encoded must be a whole {codec.upper()}, got {len(data)} bytes: {reason}")
