"""What a JPEG says of itself before its pixels."""

from __future__ import annotations

import struct

import simplejpeg

from ferserve.errors import InvalidFrameError
from ferserve.vision.exif import UPRIGHT, orientation_of
from ferserve.vision.image_header import WAY_OUT, ImageHeader
from ferserve.vision.jpeg_markers import APP1, EOI, PROGRESSIVE, SOF, SOS, Segment, sampling, segments

_COMMON_LUMA = frozenset({(1, 1), (2, 1), (1, 2), (2, 2), (4, 1), (1, 4)})
"""Factors of the luma of the samplings that TurboJPEG has names for; the chroma has 1x1."""
_EXIF = b"Exif\0"

_recent: tuple[tuple[bytes, ImageHeader], ...] = ()
_MAX_RECENT = 8
_MAX_RECENT_BYTES = 1024


def read_jpeg_header(data: bytes) -> ImageHeader:
    """Size, orientation and kind of a JPEG.

    Frames of a camera share all bytes before their pixels, so the headers of recent ones are looked up first: to read
    the markers again would take a fiftieth of all work on a frame. Raises :class:`InvalidFrameError`, and
    ``struct.error`` for a header that is cut off.
    """
    for start, header in _recent:
        if data.startswith(start):
            return header
    return _read(data)


def _remember(start: bytes, header: ImageHeader) -> None:
    """Two threads may do so at once: one of their headers is then read again."""
    global _recent
    if len(start) <= _MAX_RECENT_BYTES:
        _recent = ((start, header), *_recent)[:_MAX_RECENT]


def _read(data: bytes) -> ImageHeader:
    frame: Segment | None = None
    orientation: int | None = None
    stray = False
    for segment in segments(data, 2):
        stray |= segment.stray
        if segment.marker in SOF and frame is None:
            frame = segment
        elif segment.marker == APP1 and orientation is None and data.startswith(_EXIF, segment.start + 4):
            orientation = orientation_of(data[segment.start + 10 : segment.end])
        elif segment.marker in (SOS, EOI):
            break
    else:
        raise struct.error
    if frame is None:
        raise InvalidFrameError("encoded must be a valid JPEG, got image data before any size")
    width, height, components = _checked_frame(data, frame)
    factors = sampling(data, frame)
    header = ImageHeader(
        "jpeg",
        width,
        height,
        orientation or UPRIGHT,
        several_scans=frame.marker in PROGRESSIVE or data[segment.start + 4] < components,
        stray_bytes=stray,
        pixels_at=segment.end,
        samples_per_px=sum(h * v for h, v in factors) / (max(h for h, _ in factors) * max(v for _, v in factors)),
        rare_sampling=components > 1 and not (factors[0] in _COMMON_LUMA and set(factors[1:]) == {(1, 1)}),
    )
    _require_agreement(data, header)
    _remember(data[: segment.end], header)
    return header


def _require_agreement(data: bytes, header: ImageHeader) -> None:
    """Raises :class:`InvalidFrameError` if the decoder sees another size: it would allocate by its own."""
    try:
        height, width, *_ = simplejpeg.decode_jpeg_header(data, strict=False)
    except (
        ValueError,
        KeyError,
    ):  # a sampling without a name; OpenCV gets the segments that were read here
        return
    if (width, height) != (header.width, header.height):
        raise InvalidFrameError(
            f"encoded must be a valid JPEG, got one of {header.width}x{header.height} px that hides one of "
            f"{width}x{height}"
        )


def _checked_frame(data: bytes, frame: Segment) -> tuple[int, int, int]:
    """Width and height in px, and the number of components."""
    bits, height, width, components = struct.unpack_from(">BHHB", data, frame.start + 4)
    if bits != 8:
        raise InvalidFrameError(f"encoded must have 8 bits a channel, got a JPEG with {bits}{WAY_OUT}")
    if components not in (1, 3):
        raise InvalidFrameError(f"encoded must be grey or colour, got a JPEG with {components} channels (CMYK)")
    if height == 0:
        raise InvalidFrameError(
            "encoded must say its height in its header, got a JPEG that says it after its pixels (DNL), which is not "
            f"supported{WAY_OUT}"
        )
    return width, height, components
