"""What a PNG says of itself: size, bits, and whether it is animated or cut off."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from ferserve.errors import InvalidFrameError
from ferserve.vision.exif import UPRIGHT, orientation_of
from ferserve.vision.image_header import WAY_OUT, ImageHeader

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CRITICAL = (b"IHDR", b"PLTE", b"IDAT")


def read_png_header(data: bytes) -> ImageHeader:
    """Raises :class:`InvalidFrameError`, and ``struct.error`` for a header that is cut off."""
    width, height, bits = struct.unpack_from(">IIB", data, 16)
    if bits == 16:
        raise InvalidFrameError(f"encoded must have 8 bits a channel, got a PNG with 16{WAY_OUT}")
    orientation = UPRIGHT
    for kind, start, end in _chunks(data):
        if kind == b"acTL":
            raise InvalidFrameError("encoded must be a still image, got an animated PNG; send its frames one by one")
        if kind == b"eXIf":
            orientation = orientation_of(data[start:end])
    return ImageHeader("png", width, height, orientation)


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of every chunk's contents, those of the pixels with their checksums right.

    OpenCV allocates the length that a chunk claims before it compares it with the bytes that are there, and libpng
    prints what it thinks of a wrong checksum.
    """
    at, kind = len(SIGNATURE), b""
    while kind != b"IEND" and at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        start, at = at + 8, at + 12 + length
        if at > len(data):
            raise InvalidFrameError(f"encoded must be a whole PNG, got one cut off in {kind!r} of {length} bytes")
        if kind in _CRITICAL and zlib.crc32(memoryview(data)[start - 4 : at - 4]) != int.from_bytes(
            data[at - 4 : at], "big"
        ):
            raise InvalidFrameError(f"encoded must be a whole PNG, got one that is damaged in {kind!r}")
        yield kind, start, start + length
