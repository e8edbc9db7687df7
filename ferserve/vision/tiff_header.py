"""What a TIFF (6.0) says of its first page: size, kind of pixels, and where their bytes are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ferserve.errors import InvalidFrameError
from ferserve.vision.image_header import WAY_OUT, ImageHeader, max_parts

SIGNATURES = (b"II*\0", b"MM\0*")
UNCOMPRESSED, LZW, DEFLATE = 1, 5, (8, 32946)
_NEW_SUBFILE_TYPE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 254, 256, 257, 258, 259, 262
_STRIP_OFFSETS, _STRIP_BYTES, _TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_BYTES = 273, 279, 322, 323, 324, 325
_SAMPLE_FORMAT = 339
_SAMPLES_PER_PIXEL, _ROWS_PER_STRIP = 277, 278
_USED = frozenset(
    {_NEW_SUBFILE_TYPE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _STRIP_OFFSETS, _STRIP_BYTES, _TILE_WIDTH}
    | {_TILE_HEIGHT, _TILE_OFFSETS, _TILE_BYTES, _SAMPLE_FORMAT, _SAMPLES_PER_PIXEL, _ROWS_PER_STRIP}
)
_NUMPY_TYPES = {1: "u1", 3: "u2", 4: "u4"}
"""NumPy types of the TIFF types BYTE, SHORT and LONG; no field that is read here has another one."""
_GREY_RGB_PALETTE_CMYK = (0, 1, 2, 3, 5)
_UNSIGNED, _UNDEFINED = 1, 4
_LARGEST_PADDING_PX = 4096
"""By which a tile may be larger than its page; the decoder allocates whole tiles."""

_Fields: TypeAlias = dict[int, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class TiffPage:
    """The first page: its header, and the strips or tiles of its pixels as (start, bytes) in the file."""

    header: ImageHeader
    compression: int
    blocks: list[tuple[int, int]]
    unpacked_bytes: int
    """Of all blocks together, with the padding of tiles."""


def read_tiff_header(data: bytes) -> ImageHeader:
    """Size as stored; OpenCV itself turns a page upright, so ``orientation`` stays 1. See :func:`read_first_page`."""
    return read_first_page(data).header


def read_first_page(data: bytes) -> TiffPage:
    """Raises :class:`InvalidFrameError`, and ``IndexError`` for a directory that is cut off."""
    order = "<" if data[:2] == b"II" else ">"
    fields, next_page = _first_directory(data, order)
    width, height = _value(fields, _WIDTH, 0), _value(fields, _HEIGHT, 0)
    _require_8_bits(fields)
    note = "only the first page of a TIFF was taken" if next_page else ""
    tiled = _TILE_OFFSETS in fields
    pixels = _tiled_pixels(fields, width, height) if tiled else width * height
    header = ImageHeader("tiff", width, height, note=note, padding_px=pixels - width * height)
    return TiffPage(header, _compression(fields), _blocks(data, fields, tiled), pixels * len(fields[_BITS]))


def _first_directory(data: bytes, order: str) -> tuple[_Fields, int]:
    start = int(_array(data, order + "u4", 1, 4)[0])
    count = int(_array(data, order + "u2", 1, start)[0])
    fields: _Fields = {}
    seen: set[int] = set()
    for at in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind = _array(data, order + "u2", 2, at).tolist()
        if tag in seen or (tag in _USED and kind not in _NUMPY_TYPES):
            raise InvalidFrameError(f"encoded must be a valid TIFF, got field {tag} twice or of type {kind}")
        seen.add(tag)
        values, offset = _array(data, order + "u4", 2, at + 4).tolist()
        if kind in _NUMPY_TYPES and values:
            dtype = order + _NUMPY_TYPES[kind]
            inside = np.dtype(dtype).itemsize * values <= 4
            fields[tag] = _array(data, dtype, values, at + 8 if inside else offset)
    return fields, int(_array(data, order + "u4", 1, start + 2 + 12 * count)[0])


def _array(data: bytes, dtype: str, count: int, at: int) -> NDArray[Any]:
    if at + np.dtype(dtype).itemsize * count > len(data):
        raise IndexError
    return np.frombuffer(data, dtype, count, at)


def _value(fields: _Fields, tag: int, default: int) -> int:
    return int(fields[tag][0]) if tag in fields else default


def _require_8_bits(fields: _Fields) -> None:
    bits = fields.get(_BITS, np.ones(1, np.uint16)).tolist()  # a TIFF without the field has 1 bit
    if set(bits) != {8}:
        raise InvalidFrameError(f"encoded must have 8 bits a channel, got a TIFF with {max(bits)}{WAY_OUT}")
    if _value(fields, _SAMPLE_FORMAT, _UNSIGNED) not in (_UNSIGNED, _UNDEFINED):
        raise InvalidFrameError(f"encoded must have unsigned samples, got a TIFF with signed ones{WAY_OUT}")
    photometric = _value(fields, _PHOTOMETRIC, -1)
    if photometric not in _GREY_RGB_PALETTE_CMYK:
        raise InvalidFrameError(
            f"encoded must be grey, RGB, CMYK or a palette, got a TIFF of photometric code {photometric}{WAY_OUT}"
        )
    if _value(fields, _NEW_SUBFILE_TYPE, 0) & 1:
        raise InvalidFrameError(f"encoded must begin with its picture, got a TIFF that begins with a preview{WAY_OUT}")


def _compression(fields: _Fields) -> int:
    compression = _value(fields, _COMPRESSION, UNCOMPRESSED)
    if compression not in (UNCOMPRESSED, LZW, *DEFLATE):
        raise InvalidFrameError(
            f"encoded must be a TIFF that is uncompressed, LZW or Deflate, got compression code {compression}{WAY_OUT}"
        )
    return compression


def _tiled_pixels(fields: _Fields, width: int, height: int) -> int:
    tile_width, tile_height = _value(fields, _TILE_WIDTH, 0), _value(fields, _TILE_HEIGHT, 0)
    fits = 0 < tile_width <= width + _LARGEST_PADDING_PX and 0 < tile_height <= height + _LARGEST_PADDING_PX
    if not fits:
        raise InvalidFrameError(
            f"encoded must have tiles of about its own size at most, got {tile_width}x{tile_height} px "
            f"for {width}x{height}"
        )
    return -(-width // tile_width) * tile_width * -(-height // tile_height) * tile_height


def _blocks(data: bytes, fields: _Fields, tiled: bool) -> list[tuple[int, int]]:
    starts = fields.get(_TILE_OFFSETS if tiled else _STRIP_OFFSETS)
    lengths = fields.get(_TILE_BYTES if tiled else _STRIP_BYTES)
    if starts is None or lengths is None or len(starts) != len(lengths):
        raise InvalidFrameError("encoded must be a whole TIFF, got one that does not say where its pixels are")
    end = int((starts.astype(np.int64) + lengths).max())
    if end > len(data):
        raise InvalidFrameError(f"encoded must be a whole TIFF, got {len(data)} bytes of at least {end}")
    if len(starts) > max_parts(data) or int(lengths.sum(dtype=np.int64)) > len(data):
        raise InvalidFrameError(
            f"encoded must be a TIFF of at most {max_parts(data)} strips or tiles without overlap, got {len(starts)}"
        )
    return list(zip(starts.tolist(), lengths.tolist(), strict=True))
