"""JPEG to pixels. What a decoder only warns of is no fault if every pixel is there: cameras write such files."""

from __future__ import annotations

import re
import struct

import numpy as np
import simplejpeg

from ferserve.errors import InvalidFrameError
from ferserve.vision.exif import turn_upright
from ferserve.vision.image_header import WAY_OUT, ImageHeader
from ferserve.vision.jpeg_markers import EOI, SOF, Segment, segments
from ferserve.vision.jpeg_scans import probe_of
from ferserve.vision.opencv import decode_by_opencv, luma_of
from ferserve.vision.picture import Picture, Pixels

_MAX_SIDE_PX = 65_500
"""libjpeg's limit."""
_MAX_SCANS = 100
"""Encoders write about ten; a scan takes as few as 38 bytes and may cost a pass over all pixels."""
_MAX_BLOCKS = 10
"""In a minimum coded unit (T.81, B.2.3)."""
_DAMAGE = re.compile("bad Huffman code|bad arithmetic code|instead of RST|Inconsistent progression")
"""Warnings of libjpeg after which some pixels are wrong."""
_NO_END = "Premature end of JPEG file"
_END = bytes((0xFF, EOI))


def decode_jpeg(data: bytes, header: ImageHeader, *, color: bool) -> Picture:
    """Luma, and BGR too if ``color``; raises :class:`InvalidFrameError` and MemoryError."""
    _require_limits(data, header)
    notes = []
    if header.stray_bytes:
        data = _without_stray_bytes(data)
        notes.append("stray bytes between the segments of the JPEG's header")
    pixels = np.empty((header.height, header.width, 3 if color else 1), np.uint8)
    try:
        simplejpeg.decode_jpeg(data, _colorspace(color), fastdct=True, buffer=pixels)
    except ValueError as error:
        pixels, note = _decode_doubtful(data, pixels, str(error))
        notes += [note] if note else []
    pixels = turn_upright(pixels, header.orientation)
    degraded = "; ".join(notes)
    return Picture(luma_of(pixels), pixels, degraded) if color else Picture(pixels[:, :, 0], degraded=degraded)


def _colorspace(color: bool) -> str:
    return "BGR" if color else "GRAY"


def _require_limits(data: bytes, header: ImageHeader) -> None:
    if max(header.width, header.height) > _MAX_SIDE_PX:
        size = f"{header.width}x{header.height}"
        raise InvalidFrameError(f"a JPEG must be at most {_MAX_SIDE_PX} px wide and high, got {size}; scale it down")
    if header.several_scans and (scans := data.count(b"\xff\xda")) > _MAX_SCANS:
        raise InvalidFrameError(
            f"encoded must have at most {_MAX_SCANS} scans, got a JPEG with {scans}; send it with one (baseline)"
        )


def _without_stray_bytes(data: bytes) -> bytes:
    """The header with its segments back to back; TurboJPEG reads no other."""
    header = list(segments(data, 2))
    return b"".join((data[:2], *(data[s.start : s.end] for s in header), data[header[-1].end :]))


def _decode_doubtful(data: bytes, pixels: Pixels, warning: str) -> tuple[Pixels, str]:
    """The pixels of a file after TurboJPEG's ``warning`` or error, and a note of what is wrong with the file.

    TurboJPEG has left its ``pixels`` if it only warned. Raises :class:`InvalidFrameError` unless all pixels are there.
    """
    if "nsufficient memory" in warning or "emory allocation" in warning:
        raise MemoryError
    color = pixels.shape[2] == 3
    probe = probe_of(data, color=color)
    if probe is None or _DAMAGE.search(warning):
        raise _fault(data, warning)
    try:
        again = simplejpeg.decode_jpeg(probe, _colorspace(color), fastdct=True, strict=False)
    except ValueError:
        return _decode_rare(data, probe, pixels.shape, warning)
    if not np.array_equal(pixels, again):
        raise _fault(data, warning)
    return pixels, warning


def _decode_rare(data: bytes, probe: bytes, shape: tuple[int, ...], error: str) -> tuple[Pixels, str]:
    """As :func:`_decode_doubtful`, by OpenCV, which reads samplings that TurboJPEG has no name for.

    OpenCV reports no warnings, and libjpeg prints them to stderr. So a file with an end marker is not probed.
    """
    *_, scan = segments(data, 2)
    has_end = data.find(_END, scan.end) >= 0
    files = [data] if has_end else [data + _END, probe]
    pixels, *again = (decode_by_opencv(file, "jpeg", color=shape[2] == 3) for file in files)
    if pixels is None or pixels.shape[:2] != shape[:2]:
        raise _fault(data, error)
    if any(other is None or not np.array_equal(pixels, other) for other in again):
        raise _fault(data, error)
    return pixels.reshape(shape), "" if has_end else _NO_END


def _fault(data: bytes, warning: str) -> InvalidFrameError:
    unsupported = _unsupported(data)
    if unsupported:
        return InvalidFrameError(f"encoded must be a baseline or progressive JPEG, got {unsupported}{WAY_OUT}")
    return InvalidFrameError(f"encoded must be a whole JPEG, got one that says: {warning}")


def _unsupported(data: bytes) -> str:
    """What no decoder of ours supports, though the file may be whole; empty if there is nothing of the kind."""
    frame = next((s for s in segments(data, 2) if s.marker in SOF), None)
    if frame is None:
        return ""
    if frame.marker > 0xC2:
        return f"one of another process (SOF{frame.marker - 0xC0}), which is not supported"
    factors = _sampling(data, frame)
    most = [max(each) for each in zip(*factors, strict=True)]
    fractional = any(most[i] % factor[i] for factor in factors for i in range(2))
    if fractional or sum(h * v for h, v in factors) > _MAX_BLOCKS:
        names = ", ".join(f"{h}x{v}" for h, v in factors)
        return f"one of sampling factors {names}, which are not supported"
    return ""


def _sampling(data: bytes, frame: Segment) -> list[tuple[int, int]]:
    (count,) = struct.unpack_from(">B", data, frame.start + 9)
    factors = data[frame.start + 11 : frame.start + 11 + 3 * count : 3]
    return [(max(each >> 4, 1), max(each & 15, 1)) for each in factors]
