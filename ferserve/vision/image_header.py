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
    end: int | None = None
    """Where the bytes of a GIF's first frame end."""
    note: str = ""
    """What is left out of the answer, or missing in a file with all of its pixels."""
