"""Metadata of an ONNX file, read without its graph.

Listing a folder of models must not open a session per file (VGG16 has half a gigabyte), and serving does not depend on
the onnx package. ``ModelProto.metadata_props`` is field 14, a list of StringStringEntryProto with key = 1 and value = 2
(onnx.proto3); every other top-level field is skipped by its length.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

_METADATA_PROPS = 14
_OTHER_FILES = {
    b"\xff\xd8\xff": "a JPEG picture",
    b"\x89PNG": "a PNG picture",
    b"GIF8": "a GIF picture",
    b"RIFF": "a WebP picture or an AVI video",
    b"\x1a\x45\xdf\xa3": "a Matroska or WebM video",
}
"""Files that people pass as a model, by their first bytes; no ONNX file begins like them."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def read_metadata(path: Path) -> dict[str, str]:
    """``metadata_props`` of the ONNX file at ``path``. Raises ValueError if it is no protobuf, OSError as ``open``."""
    with path.open("rb") as file:
        if file.seek(0, 2) == 0:
            raise ValueError("an empty file")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            for magic, kind in _OTHER_FILES.items():
                if data[: len(magic)] == magic:
                    raise ValueError(f"{kind}; `ferserve classify` and `ferserve stream` take pictures and videos")
            entries = [
                dict(_fields(data, *span)) for number, span in _fields(data, 0, len(data)) if number == _METADATA_PROPS
            ]
            return {_text(data, entry.get(1)): _text(data, entry.get(2)) for entry in entries}


def _text(data: mmap.mmap, span: tuple[int, int] | None) -> str:
    return data[span[0] : span[1]].decode("utf-8") if span else ""


def _fields(data: mmap.mmap, at: int, end: int) -> Iterator[tuple[int, tuple[int, int]]]:
    """Field number and span (start, end) of the payload, per field between two offsets."""
    while at < end:
        tag, at = _varint(data, at, end)
        wire = tag & 7
        if wire == _VARINT:
            stop = _varint(data, at, end)[1]
        elif wire == _BYTES:
            length, at = _varint(data, at, end)
            stop = at + length
        elif wire in (_FIXED64, _FIXED32):
            stop = at + (8 if wire == _FIXED64 else 4)
        else:
            raise ValueError(f"wire type {wire} at byte {at}")
        if stop > end:
            raise ValueError(f"a field that ends at byte {stop} of {end}")
        yield tag >> 3, (at, stop)
        at = stop


def _varint(data: mmap.mmap, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise ValueError(f"a broken number at byte {at}")
