"""A PNG without what is not of its pixels: chunks that libpng would inflate for nothing, and surplus pixels."""

from __future__ import annotations

import struct
import zlib

from ferserve.errors import InvalidFrameError
from ferserve.vision.png_header import SIGNATURE, chunks

_PIXEL_CHUNKS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""By colour type."""
_UNCHECKED_BYTES = 1 << 20
"""Of compressed pixels: they inflate to 1 GB at most, in two seconds. A larger file is inflated once more to see."""
_STEP_BYTES = 1 << 18
_SURPLUS_BYTES = 1 << 16
"""Some encoders write a few bytes too many."""


def pixels_alone(data: bytes) -> bytes:
    """``data`` with the chunks that matter to its pixels alone; raises :class:`InvalidFrameError` if they hold more
    than the pixels. libpng would inflate everything.
    """
    found = list(chunks(data))
    packed = [(start, end) for kind, start, end in found if kind == b"IDAT"]
    if sum(end - start for start, end in packed) > _UNCHECKED_BYTES:
        _require_no_surplus(data, packed)
    if all(kind in _PIXEL_CHUNKS for kind, _, _ in found):
        return data
    return b"".join((SIGNATURE, *(data[start - 8 : end + 4] for kind, start, end in found if kind in _PIXEL_CHUNKS)))


def _require_no_surplus(data: bytes, packed: list[tuple[int, int]]) -> None:
    left = _filtered_bytes(data) + _SURPLUS_BYTES
    inflating = zlib.decompressobj()
    for start, end in packed:
        for at in range(start, end, _STEP_BYTES):
            step = data[at : min(at + _STEP_BYTES, end)]
            while step and not inflating.eof:
                left -= len(_inflated(inflating, step, left + 1))
                if left < 0:
                    raise InvalidFrameError("encoded must be a valid PNG, got one with more pixels than its size")
                step = inflating.unconsumed_tail


def _inflated(inflating: zlib._Decompress, packed: bytes, at_most: int) -> bytes:
    try:
        return inflating.decompress(packed, min(at_most, _STEP_BYTES))
    except zlib.error:
        raise InvalidFrameError("encoded must be a whole PNG, got one that cannot be inflated") from None


def _filtered_bytes(data: bytes) -> int:
    """What the pixels inflate to, at most: rows with one byte each for their filter, and those of interlaced passes."""
    width: int
    height: int
    width, height, bits, kind, _, _, interlaced = struct.unpack_from(">IIBBBBB", data, 16)
    row: int = 1 + (width * bits * _CHANNELS.get(kind, 4) + 7) // 8
    return height * row + (height * (1 + 7) if interlaced else 0)
