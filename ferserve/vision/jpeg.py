"""JPEG to pixels. What a decoder only warns of is no fault if every pixel is there: cameras write such files."""

from __future__ import annotations

import re
import struct

import numpy as np
import simplejpeg

from ferserve.errors import InvalidFrameError
from ferserve.vision.exif import turn_upright
from ferserve.vision.image_header import WAY_OUT, ImageHeader
from ferserve.vision.jpeg_cut import keep_whole_rows
from ferserve.vision.jpeg_markers import EOI, SOF, sampling, segments
from ferserve.vision.jpeg_scans import probe_of
from ferserve.vision.opencv import decode_by_opencv, luma_of, require_room
from ferserve.vision.picture import Picture, Pixels

_MAX_SIDE_PX = 65_500
"""libjpeg's limit."""
_MAX_BLOCKS = 10
"""In a minimum coded unit (T.81, B.2.3)."""
_WRONG_CODES = re.compile("bad Huffman code|bad arithmetic code")
_DAMAGE = re.compile(f"{_WRONG_CODES.pattern}|instead of RST|Inconsistent progression")
"""Warnings of libjpeg after which some pixels are wrong."""
_COMPARED_ROWS = 64
_NO_END = "Premature end of JPEG file"
_END = bytes((0xFF, EOI))


def decode_jpeg(data: bytes, header: ImageHeader, *, color: bool, use_truncated: bool = False) -> Picture:
    """Luma, and BGR too if ``color``; raises :class:`InvalidFrameError` and MemoryError.

    With ``use_truncated``, a file of one scan whose end is missing is no fault: its missing rows come out grey.
    """
    _require_sides(header)
    notes = []
    if header.stray_bytes:
        data = _without_stray_bytes(data)
        notes.append("stray bytes between the segments of the JPEG's header")
    pixels = np.empty((header.height, header.width, 3 if color else 1), np.uint8)
    try:
        simplejpeg.decode_jpeg(data, _colorspace(color), fastdct=True, buffer=pixels)
    except ValueError as error:
        warning = str(error)
        try:
            pixels, note = _decode_doubtful(data, pixels, warning)
        except InvalidFrameError:
            if not use_truncated or header.several_scans or _WRONG_CODES.search(warning):
                raise
            note = _use_whole_rows(data, pixels, warning)
        notes += [note] if note else []
    pixels = turn_upright(pixels, header.orientation)
    degraded = "; ".join(notes)
    return Picture(luma_of(pixels), pixels, degraded) if color else Picture(pixels[:, :, 0], degraded=degraded)


def _colorspace(color: bool) -> str:
    return "BGR" if color else "GRAY"


def _require_sides(header: ImageHeader) -> None:
    if max(header.width, header.height) > _MAX_SIDE_PX:
        size = f"{header.width}x{header.height}"
        raise InvalidFrameError(f"a JPEG must be at most {_MAX_SIDE_PX} px wide and high, got {size}; scale it down")


def _without_stray_bytes(data: bytes) -> bytes:
    """The header with its segments back to back: TurboJPEG reads no other, and no decoder sees another size in it."""
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
    again = np.empty_like(pixels)
    try:
        simplejpeg.decode_jpeg(probe, _colorspace(color), fastdct=True, strict=False, buffer=again)
    except ValueError:
        del again
        return _decode_rare(data, probe, pixels.shape, warning)
    if not _same(pixels, again):
        raise _fault(data, warning)
    return pixels, warning


def _use_whole_rows(data: bytes, pixels: Pixels, warning: str) -> str:
    """Fill ``pixels`` with the rows that are there; a note of how many. Raises :class:`InvalidFrameError`."""
    try:
        rows = keep_whole_rows(data, pixels, _colorspace(pixels.shape[2] == 3))
    except (ValueError, LookupError, StopIteration, struct.error):
        rows = 0
    if not rows:
        raise _fault(data, warning)
    return f"truncated: {100 * rows // len(pixels)} % of the rows are there, the others are grey"


def _same(one: Pixels, other: Pixels) -> bool:
    """``np.array_equal`` in steps: its array of booleans would be as large as the picture."""
    if one.shape != other.shape:
        return False
    steps = range(0, len(one), _COMPARED_ROWS)
    return all(np.array_equal(one[at : at + _COMPARED_ROWS], other[at : at + _COMPARED_ROWS]) for at in steps)


def _decode_rare(data: bytes, probe: bytes, shape: tuple[int, ...], error: str) -> tuple[Pixels, str]:
    """As :func:`_decode_doubtful`, by OpenCV, which reads samplings that TurboJPEG has no name for.

    OpenCV reports no warnings, and libjpeg prints them to stderr. So a file with an end marker is not probed.
    """
    data, probe = _without_stray_bytes(data), _without_stray_bytes(probe)
    *_, scan = segments(data, 2)
    has_end = data.find(_END, scan.end) >= 0
    files = [data] if has_end else [data + _END, probe]
    pixels, *again = (decode_by_opencv(file, "jpeg", color=shape[2] == 3) for file in files)
    if pixels is None or pixels.shape[:2] != shape[:2]:
        require_room(3 * shape[0] * shape[1] * shape[2])
        raise _fault(data, error)
    if any(other is None or not _same(pixels, other) for other in again):
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
    factors = sampling(data, frame)
    most = [max(each) for each in zip(*factors, strict=True)]
    fractional = any(most[i] % factor[i] for factor in factors for i in range(2))
    if fractional or sum(h * v for h, v in factors) > _MAX_BLOCKS:
        names = ", ".join(f"{h}x{v}" for h, v in factors[:3])
        return f"one of sampling factors {names}, which are not supported"
    return ""
