"""Pictures and videos, told from other files by how they begin."""

from __future__ import annotations

import os
from typing import Literal

Kind = Literal["picture", "video"]

HEAD_BYTES = 512
"""How much of a file :func:`kind_of` should get."""

MOTION_JPEG = (".mjpeg", ".mjpg")
"""Names of videos that are JPEG after JPEG. A second JPEG in a file proves nothing, since photos carry previews."""

RAW_VIDEO = (*MOTION_JPEG, ".h264", ".264", ".avc", ".h265", ".265", ".hevc", ".m4v", ".dv", ".ts", ".m2v")
"""Names that help FFmpeg, because these formats have no header."""

_PICTURE_SIGNATURES = (
    *(b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"),
    *(b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
)
_VIDEO_SIGNATURES = (b"\x1aE\xdf\xa3", b"FLV\1", b"OggS", b"\0\0\1\xba", b"0&\xb2u\x8ef\xcf\x11")
"""Of Matroska and WebM, Flash, Ogg, MPEG program streams and ASF; of all others :func:`_is_video` knows."""

_BMP_HEADER_BYTES = (12, 40, 52, 56, 64, 108, 124)
"""Of BMP's versions; "BM" alone begins texts too."""

PICTURE_BRANDS = (
    *(b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"mif2", b"msf1"),
    *(b"avif", b"avis"),
)
"""Brands of HEIC and AVIF. Their container is that of MP4, whose brands are others."""

_PICTURE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"),
    *(".heic", ".heif", ".hif", ".avif"),
)
_VIDEO_SUFFIXES = (
    *(".mp4", ".mov", ".qt", ".3gp", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".vob", ".mts", ".m2ts"),
    *(".wmv", ".asf", ".flv", ".ogv", ".ogg", ".mxf", ".y4m", ".nut"),
    *RAW_VIDEO,
)


def kind_of(head: bytes, name: str) -> Kind | None:
    """What a file is that begins with ``head``; ``name`` decides if that tells nothing. None for any other file.

    A damaged picture is a picture still, by one of the two.
    """
    suffix = os.path.splitext(name)[1].lower()
    if suffix in MOTION_JPEG:
        return "video"
    if is_picture(head):
        return "picture"
    if _is_video(head):
        return "video"
    if suffix in _PICTURE_SUFFIXES:
        return "picture"
    return "video" if suffix in _VIDEO_SUFFIXES else None


def is_picture(head: bytes) -> bool:
    """True for the beginning of a JPEG, PNG, WebP, BMP, GIF, TIFF, HEIC or AVIF."""
    return (
        head.startswith(_PICTURE_SIGNATURES)
        or (head.startswith(b"RIFF") and head[8:12] == b"WEBP")
        or (head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _BMP_HEADER_BYTES)
        or (head[4:8] == b"ftyp" and head[8:12] in PICTURE_BRANDS)
    )


def _is_video(head: bytes) -> bool:
    return (
        head.startswith(_VIDEO_SIGNATURES)
        or (head.startswith(b"RIFF") and head[8:12] == b"AVI ")
        or head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide")
        or head[:377:188] == b"GGG"  # the first bytes of packets of an MPEG transport stream
    )
