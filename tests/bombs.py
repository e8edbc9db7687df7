"""Files that cost far more than they weigh, made by code."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image


def black(codec: str, width: int, height: int, mode: str = "RGB", **options: object) -> bytes:
    """A black picture as Pillow writes it."""
    buffer = io.BytesIO()
    Image.new(mode, (width, height)).save(buffer, codec, **options)
    return buffer.getvalue()


def segment(marker: int, body: bytes) -> bytes:
    """A segment of a JPEG, with its length."""
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


def frame(marker: int, width: int, height: int, components: int = 1) -> bytes:
    """The header of a JPEG's frame, of components without subsampling."""
    names = b"".join(bytes((i + 1, 0x11, 0)) for i in range(components))
    return segment(marker, struct.pack(">BHHB", 8, height, width, components) + names)


def scan(component: int, first: int = 0, last: int = 63) -> bytes:
    """The header of a scan of one component, whose blocks :data:`TABLES` makes empty."""
    return segment(0xDA, bytes((1, component, 0, first, last, 0)))


# One Huffman code each, of an empty block.
TABLES = segment(0xDB, bytes(1) + b"\1" * 64) + b"".join(
    segment(0xC4, bytes((kind, 0, 1, *[0] * 14, 0))) for kind in (0x00, 0x10)
)


def jpeg(*segments: bytes) -> bytes:
    """A JPEG of these segments."""
    return b"".join((b"\xff\xd8", *segments, b"\xff\xd9"))


def repeated_scans(side: int, scans: int) -> bytes:
    """A baseline JPEG of three components that has its first one's empty scan again and again."""
    return jpeg(TABLES, frame(0xC0, side, side, 3), TABLES, scan(1) * scans, scan(2), scan(3))


def progressive(side: int, scans: int) -> bytes:
    """A progressive JPEG of empty scans of all coefficients but the first."""
    return jpeg(TABLES, frame(0xC2, side, side), scan(1, 0, 0), scan(1, 1) * (scans - 1))


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of a PNG, with its checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, *chunks: bytes) -> bytes:
    """A grey PNG of these chunks."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"".join((b"\x89PNG\r\n\x1a\n", header, *chunks, chunk(b"IEND", b"")))


def zeros(size: int) -> bytes:
    """Zeros as small as Deflate makes them: a thousandth."""
    return zlib.compress(bytes(size), 9)
