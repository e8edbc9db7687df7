"""What a WebP says of itself (RFC 9649): size, orientation, and whether it is animated."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from ferserve.errors import InvalidFrameError
from ferserve.vision.exif import UPRIGHT, orientation_of
from ferserve.vision.image_header import ImageHeader, max_parts

_ANIMATION = 0x02
_FIRST_CHUNK = 12


def read_webp_header(data: bytes) -> ImageHeader:
    """Raises :class:`InvalidFrameError`, and ``struct.error`` or ``IndexError`` for a header that is cut off."""
    chunk = data[_FIRST_CHUNK : _FIRST_CHUNK + 4]
    if chunk not in (b"VP8X", b"VP8L", b"VP8 "):
        raise InvalidFrameError(f"encoded must be a valid WebP, got a first chunk named {chunk!r}")
    if chunk == b"VP8X" and data[20] & _ANIMATION:
        raise InvalidFrameError("encoded must be a still image, got an animated WebP; send its frames one by one")
    width, height = _size(data, _frame_at(data))
    if chunk == b"VP8X":
        _require_canvas(data, width, height)
    return ImageHeader("webp", width, height, _orientation(data) if chunk == b"VP8X" else UPRIGHT)


def frame_alone(data: bytes) -> bytes:
    """``data`` as a simple file: the frame without alpha, profiles and whatever else follows."""
    at = _frame_at(data)
    frame = data[at:]
    if data[_FIRST_CHUNK : _FIRST_CHUNK + 4] != b"VP8X":
        return data
    (length,) = struct.unpack_from("<I", frame, 4)
    frame = frame[: 8 + length + length % 2]  # a chunk that claims more is cut off, and the decoder says so
    return b"RIFF" + struct.pack("<I", 4 + len(frame)) + b"WEBP" + frame


def _size(data: bytes, at: int) -> tuple[int, int]:
    """Width and height of the frame whose chunk starts at byte ``at``."""
    if data[at : at + 4] == b"VP8L":
        (packed,) = struct.unpack_from("<I", data, at + 9)
        return (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", data, at + 14)
    return width & 0x3FFF, height & 0x3FFF


def _require_canvas(data: bytes, width: int, height: int) -> None:
    canvas = tuple(int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
    if canvas != (width, height):
        raise InvalidFrameError(
            f"encoded must be a valid WebP, got a canvas of {canvas[0]}x{canvas[1]} px for a frame of {width}x{height}"
        )


def _frame_at(data: bytes) -> int:
    for kind, at, _ in _chunks(data):
        if kind in (b"VP8 ", b"VP8L"):
            return at
    raise IndexError


def _orientation(data: bytes) -> int:
    for kind, at, length in _chunks(data):
        if kind == b"EXIF":
            return orientation_of(data[at + 8 : at + 8 + length].removeprefix(b"Exif\0\0"))
    return UPRIGHT


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and length of the contents of every chunk; the last one may be cut off."""
    at = _FIRST_CHUNK
    for _ in range(max_parts(data)):
        if at + 8 > len(data):
            return
        kind, length = struct.unpack_from("<4sI", data, at)
        yield kind, at, length
        at += 8 + length + length % 2
    raise InvalidFrameError(f"encoded must be a WebP of at most {max_parts(data)} chunks, got more")
