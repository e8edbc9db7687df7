"""Changes to files and messages as damage, other encoders and attackers make them."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Sequence

_NUMBERS = (0, 1, 2, 7, 8, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFF)
_MAX_BYTES = 65_536


def mutated(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """``data`` after one to six changes; at most 64 KB, so that what it costs can be judged."""
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        data = rng.choice(_CHANGES)(rng, data, rng.choice(others))[:_MAX_BYTES]
    return data


def with_checksums(png: bytes) -> bytes:
    """A PNG whose chunks have their checksums right, so that a changed one is read at all."""
    parts, at = [png[:8]], 8
    while at + 8 <= len(png):
        (length,) = struct.unpack_from(">I", png, at)
        body = png[at + 4 : at + 8 + length]
        parts += [png[at : at + 4], body, struct.pack(">I", zlib.crc32(body))]
        at += 12 + length
    return b"".join(parts)


def _place(rng: random.Random, data: bytes) -> int:
    """Somewhere, most often in the header."""
    return rng.randrange(min(len(data), 700) if rng.random() < 0.7 else len(data)) if data else 0


def _flip(rng: random.Random, data: bytes, other: bytes) -> bytes:
    at = _place(rng, data)
    return data[:at] + bytes((rng.randrange(256),)) + data[at + 1 :]


def _number(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """A number of one, two or four bytes that is a bound of something."""
    at, form = _place(rng, data), rng.choice((">B", ">H", "<H", ">I", "<I"))
    size = struct.calcsize(form)
    number = rng.choice(_NUMBERS) & (256**size - 1)
    return data[:at] + struct.pack(form, number) + data[at + size :]


def _cut(rng: random.Random, data: bytes, other: bytes) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _remove(rng: random.Random, data: bytes, other: bytes) -> bytes:
    at = _place(rng, data)
    return data[:at] + data[at + rng.randrange(1, 64) :]


def _repeat(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """A piece many times over: scans, chunks, blocks, fields."""
    at = _place(rng, data)
    end = at + rng.randrange(1, 80)
    return data[:end] + data[at:end] * rng.choice((1, 3, 30, 1000)) + data[end:]


def _insert(rng: random.Random, data: bytes, other: bytes) -> bytes:
    at = _place(rng, data)
    return data[:at] + rng.randbytes(rng.randrange(1, 20)) + data[at:]


def _splice(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """A piece of another file."""
    at, start = _place(rng, data), _place(rng, other)
    return data[:at] + other[start : start + rng.randrange(1, 400)] + data[at:]


_CHANGES = (_flip, _flip, _number, _number, _cut, _remove, _repeat, _insert, _splice)
