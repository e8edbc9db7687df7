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
_CLASSIFY = "`ferserve classify` and `ferserve stream` take pictures and videos"
_EXPORT = "export it to ONNX"
_OTHER_FILES = (
    (0, b"\xff\xd8\xff", "a JPEG picture", _CLASSIFY),
    (0, b"\x89PNG", "a PNG picture", _CLASSIFY),
    (0, b"GIF8", "a GIF picture", _CLASSIFY),
    (0, b"II*\0", "a TIFF picture", _CLASSIFY),
    (0, b"MM\0*", "a TIFF picture", _CLASSIFY),
    (0, b"RIFF", "a WebP picture or an AVI video", _CLASSIFY),
    (0, b"\x1a\x45\xdf\xa3", "a Matroska or WebM video", _CLASSIFY),
    (4, b"ftyp", "an MP4 video, or a HEIC or AVIF picture", _CLASSIFY),
    (0, b"\x89HDF", "an HDF5 file, as Keras wrote them", _EXPORT),
    (0, b"PK\3\4", "a ZIP archive, as PyTorch and Keras write them", _EXPORT),
    (4, b"TFL3", "a TensorFlow Lite model", _EXPORT),
)
"""Files that people pass as a model: where which bytes are, what they are, and the way out. No ONNX file has them."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def read_metadata(path: Path) -> dict[str, str]:
    """``metadata_props`` of the ONNX file at ``path``. Raises ValueError if it is no protobuf, OSError as ``open``."""
    with path.open("rb") as file:
        if file.seek(0, 2) == 0:
            raise ValueError("an empty file")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            for at, magic, kind, way_out in _OTHER_FILES:
                if data[at : at + len(magic)] == magic:
                    raise ValueError(f"{kind}; {way_out}")
            try:
                entries = [
                    dict(_fields(data, *span))
                    for number, span in _fields(data, 0, len(data))
                    if number == _METADATA_PROPS
                ]
            except ValueError as error:
                raise ValueError(f"a file that is cut off or of another kind: {error}") from None
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
