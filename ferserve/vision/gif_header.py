"""What a GIF says of itself (GIF89a): the size of its canvas, and where its first frame ends."""

from __future__ import annotations

import struct
from dataclasses import replace

from ferserve.errors import InvalidFrameError
from ferserve.vision.image_header import WAY_OUT, ImageHeader, max_parts

SIGNATURES = (b"GIF87a", b"GIF89a")
_SCREEN_END = 13
_EXTENSION, _FRAME = 0x21, 0x2C
TRAILER = b";"
_MAX_EXTENSIONS = 100
"""Before a frame; encoders write about three."""


def read_gif_header(data: bytes) -> ImageHeader:
    """The header of the first frame; ``end`` is where its bytes end.

    Raises :class:`InvalidFrameError`, and ``struct.error`` or ``IndexError`` for a file that is cut off before that.
    """
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    header = ImageHeader("gif", width, height)
    start = _after_extensions(data, _SCREEN_END + _color_table_bytes(flags))
    if data[start] != _FRAME:
        raise InvalidFrameError("encoded must be a GIF with at least one frame, got a GIF without frames")
    end = _frame_end(data, start, header)
    try:
        following = data[_after_extensions(data, end)]
    except IndexError:
        return replace(header, end=end, note="missing trailer of a GIF")
    return replace(header, end=end, note="only the first frame of a GIF was taken" if following == _FRAME else "")


def _frame_end(data: bytes, start: int, canvas: ImageHeader) -> int:
    left, top, width, height, flags = struct.unpack_from("<HHHHB", data, start + 1)
    if left + width > canvas.width or top + height > canvas.height:
        raise InvalidFrameError(
            f"encoded must be a GIF whose frame lies on its canvas, got {width}x{height} px at ({left}, {top}) "
            f"on {canvas.width}x{canvas.height}"
        )
    code_size_bytes = 1
    return _after_blocks(data, start + 10 + _color_table_bytes(flags) + code_size_bytes)


def _color_table_bytes(flags: int) -> int:
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _after_extensions(data: bytes, at: int) -> int:
    for _ in range(_MAX_EXTENSIONS):
        if data[at] != _EXTENSION:
            return at
        at = _after_blocks(data, at + 2)
    raise InvalidFrameError(f"encoded must be a GIF of at most {_MAX_EXTENSIONS} extensions a frame, got more")


def _after_blocks(data: bytes, at: int) -> int:
    for _ in range(max_parts(data)):
        if not data[at]:
            return at + 1
        at += 1 + data[at]
    raise InvalidFrameError(f"encoded must be a GIF of at most {max_parts(data)} blocks, got more{WAY_OUT}")
