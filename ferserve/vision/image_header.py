"""What an encoded image says of itself before a single pixel is decoded.

Reading a few header bytes keeps a kilobyte that claims 50,000 x 50,000 pixels from ever reaching a decoder.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ferserve.errors import InvalidFrameError

Codec = Literal["jpeg", "png", "webp", "bmp"]

_WAY_OUT = "; send JPEG, PNG, WebP or BMP with 8 bits a channel"


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """Codec and size in pixels as stored, before any EXIF rotation; ``orientation`` is EXIF's 1 to 8, ``progressive``
    a JPEG's whose pixels come in several scans.
    """

    codec: Codec
    width: int
    height: int
    orientation: int = 1
    progressive: bool = False


def read_header(data: bytes) -> ImageHeader:
    """Read codec and size of an encoded image.

    Raises :class:`InvalidFrameError` for anything that is not an 8-bit still JPEG, PNG, WebP or BMP.
    """
    if not data:
        raise InvalidFrameError("encoded must be an image file, got 0 bytes" + _WAY_OUT)
    try:
        if data[:2] == b"\xff\xd8":
            header = _known_jpeg(data) or _jpeg(data)
        elif data[:8] == b"\x89PNG\r\n\x1a\n":
            header = _png(data)
        elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            header = _webp(data)
        elif data[:2] == b"BM":
            header = _bmp(data)
        else:
            raise InvalidFrameError(f"encoded must be a known image format, got {_name(data)}{_WAY_OUT}")
    except (struct.error, IndexError):
        raise InvalidFrameError(f"encoded must be a whole image, got a header cut off at {len(data)} bytes") from None
    if header.width < 1 or header.height < 1:
        raise InvalidFrameError(f"encoded must be at least 1x1 px, got {header.width}x{header.height}")
    return header


def _name(data: bytes) -> str:
    if data[:4] == b"GIF8":
        return "a GIF"
    if data[:4] in (b"II*\0", b"MM\0*"):
        return "a TIFF"
    return f"{len(data)} bytes that start with {data[:4].hex(' ')}"


# Start-of-frame markers carry the size: C0-CF but for DHT (C4), JPG (C8) and DAC (CC); ITU-T T.81, table B.1.
_JPEG_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_FILL_BYTES = re.compile(rb"\xff+")
_MOST_SEGMENTS = 1000
"""Of a JPEG before its size; cameras write some ten."""


_known: tuple[tuple[bytes, ImageHeader], ...] = ()
_MOST_KNOWN = 8
_LONGEST_KNOWN = 1024


def _known_jpeg(data: bytes) -> ImageHeader | None:
    """The header of an earlier JPEG that began with the very same bytes, up to its size: as all frames of a camera do.

    Walking through the markers again would take a fiftieth of all work on a frame.
    """
    for start, header in _known:
        if data.startswith(start):
            return header
    return None


def _remember(start: bytes, header: ImageHeader) -> None:
    """Threads may do this at once: one of their headers is then found out again."""
    global _known
    if len(start) <= _LONGEST_KNOWN:
        _known = ((start, header), *_known)[:_MOST_KNOWN]


def _jpeg(data: bytes) -> ImageHeader:
    at, orientation = 2, 1
    for _ in range(_MOST_SEGMENTS):
        fill = _FILL_BYTES.match(data, at)
        if not fill:
            raise InvalidFrameError(f"encoded must be a valid JPEG, got byte {data[at]:02x} where a marker belongs")
        at = fill.end() - 1
        marker = data[at + 1]
        if marker in (0xD9, 0xDA):
            raise InvalidFrameError("encoded must be a valid JPEG, got image data before any size")
        (length,) = struct.unpack_from(">H", data, at + 2)
        if marker in _JPEG_SOF:
            bits, height, width, components = struct.unpack_from(">BHHB", data, at + 4)
            if bits != 8:
                raise InvalidFrameError(f"encoded must have 8 bits a channel, got a JPEG with {bits}{_WAY_OUT}")
            if components not in (1, 3):
                raise InvalidFrameError(f"encoded must be grey or colour, got a JPEG with {components} channels (CMYK)")
            header = ImageHeader("jpeg", width, height, orientation, marker in _JPEG_PROGRESSIVE)
            _remember(data[: at + 10], header)
            return header
        if marker == 0xE1 and data[at + 4 : at + 10] == b"Exif\0\0":
            orientation = _exif_orientation(data[at + 10 : at + 2 + length])
        at += 2 + length
    raise InvalidFrameError(f"encoded must be a valid JPEG, got {_MOST_SEGMENTS} segments before any size")


def _exif_orientation(tiff: bytes) -> int:
    """EXIF tag 0x0112 of the first image directory (Exif 2.32, 4.6.4); 1 where it is absent or broken."""
    try:
        order = {b"II": "<", b"MM": ">"}[tiff[:2]]
        (directory,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, directory)
        for entry in range(directory + 2, directory + 2 + 12 * count, 12):
            tag, _, _, value = struct.unpack_from(order + "HHIH", tiff, entry)
            if tag == 0x0112:
                return value if 1 <= value <= 8 else 1
    except (struct.error, KeyError):
        pass
    return 1


def _png(data: bytes) -> ImageHeader:
    width, height, bits = struct.unpack_from(">IIB", data, 16)
    if bits == 16:
        raise InvalidFrameError(f"encoded must have 8 bits a channel, got a PNG with 16{_WAY_OUT}")
    for kind in _png_chunks(data):
        if kind == b"acTL":
            raise InvalidFrameError("encoded must be a still image, got an animated PNG; send its frames one by one")
    return ImageHeader("png", width, height)


def _png_chunks(data: bytes) -> Iterator[bytes]:
    """Names of all chunks. OpenCV allocates what a chunk claims to hold before it looks at how much there is."""
    at, kind = 8, b""
    while kind != b"IEND" and at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        at += 12 + length
        if at > len(data):
            raise InvalidFrameError(f"encoded must be a whole PNG, got one cut off in {kind!r} of {length} bytes")
        yield kind


def _webp(data: bytes) -> ImageHeader:
    chunk = data[12:16]
    if chunk == b"VP8X":
        if data[20] & 0x02:
            raise InvalidFrameError("encoded must be a still image, got an animated WebP; send its frames one by one")
        width = int.from_bytes(data[24:27], "little") + 1
        height = int.from_bytes(data[27:30], "little") + 1
        if len(data) < 30:
            raise IndexError
        return ImageHeader("webp", width, height)
    if chunk == b"VP8L":
        (packed,) = struct.unpack_from("<I", data, 21)
        return ImageHeader("webp", (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1)
    if chunk == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return ImageHeader("webp", width & 0x3FFF, height & 0x3FFF)
    raise InvalidFrameError(f"encoded must be a valid WebP, got a first chunk named {chunk!r}")


def _bmp(data: bytes) -> ImageHeader:
    width, height = struct.unpack_from("<ii", data, 18)
    return ImageHeader("bmp", abs(width), abs(height))  # a negative height means rows from the top
