"""What an encoded image says of itself before a single pixel is decoded.

A few header bytes keep a kilobyte that claims 50,000 x 50,000 pixels from ever reaching a decoder.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ferserve.vision.exif import UPRIGHT

Codec = Literal["jpeg", "png", "webp", "bmp", "gif", "tiff", "heic", "avif"]

WAY_OUT = "; send JPEG, PNG, WebP, BMP, GIF or TIFF with 8 bits a channel"


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """Codec, and size in pixels as stored, before ``orientation`` (EXIF's, 1 to 8) is undone."""

    codec: Codec
    width: int
    height: int
    orientation: int = UPRIGHT
    several_scans: bool = False
    """A JPEG that is progressive, or has a scan for each component."""
    stray_bytes: bool = False
    """A JPEG with bytes between the segments of its header that belong to none of them."""
    pixels_at: int = 0
    """Where the pixels of a JPEG's first scan start."""
    samples_per_px: float = 1.0
    """Of a JPEG, over all components."""
    rare_sampling: bool = False
    """A JPEG of a sampling that TurboJPEG has no name for."""
    end: int | None = None
    """Where the bytes of a GIF's first frame end."""
    padding_px: int = 0
    """Of a TIFF's tiles, which are decoded whole."""
    note: str = ""
    """What is left out of the answer, or missing in a file with all of its pixels."""


def max_parts(data: bytes) -> int:
    """Chunks or blocks of a file that are looked at. Each takes a microsecond; encoders fill theirs with hundreds of
    bytes.
    """
    return 10_000 + len(data) // 64
