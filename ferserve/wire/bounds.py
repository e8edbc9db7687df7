"""How much a message may hold besides pixels: two bytes make a box, so 32 MB make 16 million objects on the event loop.

The fields that lead to pixels are walked over without being parsed; what lies in others is counted, and bounded. On the
way, large pixels may be left where they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final, TypeAlias

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError

from ferserve.errors import StreamProtocolError
from ferserve.wire.pixels import Pixels

MAX_OTHER_BYTES: Final = 262_144
"""Of a message, besides its pixels: ten thousand boxes. As many of the smallest parts take 10 ms to parse."""
_MAX_FIELDS: Final = 8192
"""Of the messages around the pixels: four thousand crops."""
_DETACHED_BYTES: Final = 65_536
"""Pixels from here on are left in the message; smaller ones are copied in less time than that takes."""
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5

_FIXED: Final = (FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE)
"""Types whose packed arrays are pixels, too: they take no more memory than bytes. One byte of others makes eight."""

_Shape: TypeAlias = Mapping[int, Any]
"""By field number: the type of pixels, or a shape for a message that leads to some. Other fields are missing."""


def bounded(parse: Callable[[bytes], Any] | None, pixels: Pixels | None = None) -> Callable[[bytes], Any]:
    """``parse``, the ``FromString`` of a message's class, for messages of strangers; any other as it is.

    The function raises :class:`StreamProtocolError` for a message of too many parts, and DecodeError for garbled ones.
    Large fields of bytes go to ``pixels``, if it is given, until the next message; their tickets stand in their place.
    """
    if parse is None:
        return bytes
    message_type = getattr(parse, "__self__", None)
    if message_type is None:
        return parse
    shape = _shape(message_type.DESCRIPTOR)

    def parse_bounded(data: bytes) -> Any:
        if pixels is not None:
            pixels.clear()
        if len(data) > MAX_OTHER_BYTES:
            data = _Walk(data, pixels).over(0, len(data), shape) or data
        return parse(data)

    return parse_bounded


@cache
def _shape(message: Descriptor) -> _Shape:
    shape: dict[int, Any] = {}
    for field in message.fields:
        if field.type == FieldDescriptor.TYPE_BYTES or (field.type in _FIXED and field.is_repeated):
            shape[field.number] = field.type
        elif field.message_type is not None and (inner := _shape(field.message_type)):
            shape[field.number] = inner
    return shape


class _Walk:
    """What is left to one message."""

    def __init__(self, data: bytes, pixels: Pixels | None) -> None:
        self._data = data
        self._pixels = pixels
        self._bytes_left = MAX_OTHER_BYTES
        self._fields_left = _MAX_FIELDS

    def over(self, at: int, end: int, shape: _Shape) -> bytes | None:
        """Walk over the fields of a message of that ``shape`` in ``data[at:end]``; returns it without its large pixels,
        None if it has none.
        """
        parts: list[bytes] = []
        copied = at
        while at < end:
            tag, at = self._varint(at)
            kind, number = tag & 7, tag >> 3
            length, length_at = {_FIXED64: 8, _FIXED32: 4}.get(kind, 0), at
            if kind == _VARINT:
                _, at = self._varint(at)
            elif kind == _LENGTH:
                length, at = self._varint(at)
            elif not length:
                raise DecodeError("a group, which no message here has")
            if at + length > end:
                raise DecodeError("a field that is cut off")
            inner = shape.get(number) if kind == _LENGTH else None
            self._count(0 if inner is not None else length)
            replacement = None if inner is None else self._replacement(at, at + length, inner)
            at += length
            if replacement is not None:
                parts += self._data[copied:length_at], _varint_of(len(replacement)), replacement
                copied = at
        return b"".join((*parts, self._data[copied:end])) if parts else None

    def _replacement(self, at: int, end: int, inner: Any) -> bytes | None:
        """What stands in the place of the field in ``data[at:end]``; None for the field itself."""
        if isinstance(inner, dict):
            return self.over(at, end, inner)
        if self._pixels is None or inner != FieldDescriptor.TYPE_BYTES or end - at < _DETACHED_BYTES:
            return None
        return self._pixels.deposit(memoryview(self._data)[at:end])

    def _count(self, size_bytes: int) -> None:
        self._bytes_left -= size_bytes
        self._fields_left -= 1
        if self._bytes_left < 0 or self._fields_left < 0:
            raise StreamProtocolError(
                f"messages must have at most {MAX_OTHER_BYTES} bytes in {_MAX_FIELDS} fields besides their pixels, got "
                "more; send boxes and crops in parts"
            )

    def _varint(self, at: int) -> tuple[int, int]:
        """A number, and where it ends."""
        value = 0
        for shift in range(0, 70, 7):
            if at >= len(self._data):
                break
            byte = self._data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value, at
        raise DecodeError("a number that is cut off or too long")


def _varint_of(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)
