"""What a PNG says of itself (W3C PNG, third edition): size, bits, and whether it is animated or cut off."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from ferserve.errors import InvalidFrameError
from ferserve.vision.exif import UPRIGHT, orientation_of
from ferserve.vision.image_header import WAY_OUT, ImageHeader, max_parts

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CRITICAL = (b"IHDR", b"PLTE", b"IDAT")
_IHDR_BYTES = 13


def read_png_header(data: bytes) -> ImageHeader:
    """Raises :class:`InvalidFrameError`, and ``struct.error`` for a header that is cut off."""
    length, kind = struct.unpack_from(">I4s", data, len(SIGNATURE))
    if (length, kind) != (_IHDR_BYTES, b"IHDR"):
        raise InvalidFrameError(f"encoded must be a valid PNG, got one that begins with {kind!r} of {length} bytes")
    width, height, bits = struct.unpack_from(">IIB", data, 16)
    if bits == 16:
        raise InvalidFrameError(f"encoded must have 8 bits a channel, got a PNG with 16{WAY_OUT}")
    orientation = UPRIGHT
    for kind, start, end in chunks(data):
        if kind in _CRITICAL:
            _require_checksum(data, kind, start, end)
        if kind == b"acTL":
            raise InvalidFrameError("encoded must be a still image, got an animated PNG; send its frames one by one")
        if kind == b"eXIf":
            orientation = orientation_of(data[start:end])
    return ImageHeader("png", width, height, orientation)


def _require_checksum(data: bytes, kind: bytes, start: int, end: int) -> None:
    """libpng would print what it thinks of a wrong one."""
    if zlib.crc32(memoryview(data)[start - 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
        raise InvalidFrameError(f"encoded must be a whole PNG, got one that is damaged in {kind!r}")


def chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of every chunk's contents.

    OpenCV allocates the length that a chunk claims before it compares it with the bytes that are there.
    """
    at = len(SIGNATURE)
    for _ in range(max_parts(data)):
        length, kind = struct.unpack_from(">I4s", data, at)
        start, at = at + 8, at + 12 + length
        if at > len(data):
            raise InvalidFrameError(f"encoded must be a whole PNG, got one cut off in {kind!r} of {length} bytes")
        yield kind, start, start + length
        if kind == b"IEND" or at >= len(data):
            return
    raise InvalidFrameError(f"encoded must be a PNG of at most {max_parts(data)} chunks, got more{WAY_OUT}")
