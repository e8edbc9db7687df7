"""The header of any encoded image, by its signature."""

from __future__ import annotations

import struct

from ferserve.errors import InvalidFrameError
from ferserve.vision.gif_header import SIGNATURES as GIF
from ferserve.vision.gif_header import read_gif_header
from ferserve.vision.heif import heif_codec, read_heif_header
from ferserve.vision.image_header import WAY_OUT, ImageHeader
from ferserve.vision.jpeg_header import read_jpeg_header
from ferserve.vision.png_header import SIGNATURE as PNG
from ferserve.vision.png_header import read_png_header
from ferserve.vision.tiff_header import SIGNATURES as TIFF
from ferserve.vision.tiff_header import read_tiff_header
from ferserve.vision.webp_header import read_webp_header

_BMP_CORE_BYTES = 12


def read_header(data: bytes) -> ImageHeader:
    """Codec, size and orientation of an encoded image.

    Raises :class:`InvalidFrameError` for anything but an 8-bit JPEG, PNG, WebP, BMP, GIF or TIFF, or a HEIC or AVIF if
    their extra is installed. A GIF or an AVIF may be animated, a TIFF or a HEIC have several pages: the first one
    counts.
    """
    if not data:
        raise InvalidFrameError("encoded must be an image file, got 0 bytes" + WAY_OUT)
    try:
        if data[:2] == b"\xff\xd8":
            header = read_jpeg_header(data)
        elif data[:8] == PNG:
            header = read_png_header(data)
        elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            header = read_webp_header(data)
        elif data[:2] == b"BM":
            header = _bmp(data)
        elif data.startswith(GIF):
            header = read_gif_header(data)
        elif data.startswith(TIFF):
            header = read_tiff_header(data)
        elif (codec := heif_codec(data)) is not None:
            header = read_heif_header(data, codec)
        else:
            raise InvalidFrameError(f"encoded must be a known image format, got {_name(data)}{WAY_OUT}")
    except (struct.error, IndexError):
        raise InvalidFrameError(f"encoded must be a whole image, got a header cut off at {len(data)} bytes") from None
    if header.width < 1 or header.height < 1:
        raise InvalidFrameError(f"encoded must be at least 1x1 px, got {header.width}x{header.height}")
    return header


def _bmp(data: bytes) -> ImageHeader:
    (header_bytes,) = struct.unpack_from("<I", data, 14)
    if header_bytes == _BMP_CORE_BYTES:  # of OS/2, with sides of 16 bits
        return ImageHeader("bmp", *struct.unpack_from("<HH", data, 18))
    width, height = struct.unpack_from("<ii", data, 18)
    return ImageHeader("bmp", abs(width), abs(height))  # a negative height means that the top row comes first


def _name(data: bytes) -> str:
    if data[:4] in (b"II+\0", b"MM\0+"):
        return "a BigTIFF"
    if data[4:8] == b"ftyp":
        return "a video"
    return f"{len(data)} bytes that start with {data[:4].hex(' ')}"
