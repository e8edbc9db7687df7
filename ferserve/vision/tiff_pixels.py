"""Damage in the pixels of a TIFF, which OpenCV passes over in silence: it fills what it cannot read."""

from __future__ import annotations

import zlib

from ferserve.errors import InvalidFrameError
from ferserve.vision.tiff_header import LZW, UNCOMPRESSED, TiffPage, read_first_page

_HOLE = bytes(32)
"""No encoder writes these zeros into LZW, since a repeated value soon has codes of its own."""
_STEP_BYTES = 1 << 20


def require_whole_pixels(data: bytes) -> None:
    """Raises :class:`InvalidFrameError` if pixels are missing or, as far as the compression can tell, damaged."""
    page = read_first_page(data)
    if page.compression == UNCOMPRESSED:
        whole = sum(length for _, length in page.blocks) >= page.unpacked_bytes
    elif page.compression == LZW:
        whole = all(data.find(_HOLE, start, start + length) < 0 for start, length in page.blocks)
    else:
        whole = _inflates(data, page)
    if not whole:
        raise InvalidFrameError(f"encoded must be a whole TIFF, got {len(data)} bytes with damaged or missing pixels")


def _inflates(data: bytes, page: TiffPage) -> bool:
    """Whether every block has its checksum, and all of them the bytes of the page; at most those are unpacked."""
    left = page.unpacked_bytes
    try:
        for start, length in page.blocks:
            inflating, packed = zlib.decompressobj(), data[start : start + length]
            while not inflating.eof:
                unpacked = len(inflating.decompress(packed, _STEP_BYTES))
                packed, left = inflating.unconsumed_tail, left - unpacked
                if left < 0 or not (unpacked or packed or inflating.eof):
                    return False
    except zlib.error:
        return False
    return left == 0
