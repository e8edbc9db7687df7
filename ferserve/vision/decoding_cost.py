"""The memory that decoding an image writes, at most, known from its header."""

from __future__ import annotations

from ferserve.vision.image_header import Codec, ImageHeader
from ferserve.vision.jpeg_markers import count_scans

_BYTES_PER_PX: dict[Codec, int] = {"png": 6, "webp": 6, "bmp": 6, "gif": 8, "tiff": 8, "heic": 12, "avif": 12}
"""Measured on OpenCV 5: BGR twice, or a decoder's own buffer; then luma. HEIC and AVIF may have 16 bits a sample."""
_LUMA_BYTES_PER_PX, _COLOR_BYTES_PER_PX = 2, 7
"""Of a JPEG: a doubtful file is decoded twice, and colour leaves its luma beside it."""
_COEFFICIENT_BYTES = 2
_RARE_COPIES = 3
"""Of everything, for a sampling that TurboJPEG has no name for."""
_SCAN_BYTES_PER_PX = 0.3
"""Time stands for memory: a scan of a few bytes may cost a pass over all coefficients."""


def decoding_bytes(data: bytes, header: ImageHeader, *, color: bool) -> int:
    """Bytes that decoding ``data`` writes, in buffers that may all be alive at once."""
    pixels = header.width * header.height + header.padding_px
    if header.codec != "jpeg":
        return pixels * _BYTES_PER_PX[header.codec]
    per_px: float = _COLOR_BYTES_PER_PX if color else _LUMA_BYTES_PER_PX
    if header.several_scans:  # all coefficients are kept until the last scan
        scans = count_scans(data, header.pixels_at)
        per_px += _COEFFICIENT_BYTES * header.samples_per_px + _SCAN_BYTES_PER_PX * scans
    return int(pixels * per_px * (_RARE_COPIES if header.rare_sampling else 1))
