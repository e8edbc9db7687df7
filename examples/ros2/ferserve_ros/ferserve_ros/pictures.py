"""Pictures of ``sensor_msgs`` as payloads of ferserve: pure functions on the fields of the messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ferserve import EncodedImage, PixelFormat, RawImage


class PictureError(ValueError):
    """A picture that cannot be sent; the text names the field, what it must be and what it was."""


def payload_of(message: Any) -> RawImage:
    """The payload of a ``sensor_msgs/Image``; raises :class:`PictureError`.

    Padding of rows (``step``) travels along. ``is_bigendian`` means nothing for samples of 8 bits.
    """
    if message.encoding not in _ENCODINGS:
        raise PictureError(
            f"encoding must be one of {', '.join(sorted(_ENCODINGS))}, got {message.encoding!r}; convert it, for "
            "instance with image_proc, or publish it compressed"
        )
    bytes_per_px, planar, pixel_format, convert = _ENCODINGS[message.encoding]
    width, height, step = message.width, message.height, message.step
    if width < 1 or height < 1:
        raise PictureError(f"width and height must be at least 1 px, got {width}x{height}")
    if step < width * bytes_per_px:
        raise PictureError(f"step must be at least {width * bytes_per_px} bytes for {message.encoding}, got {step}")
    expected = step * height * 3 // 2 if planar else step * height
    data = bytes(message.data)
    if len(data) != expected:
        raise PictureError(f"data must have {expected} bytes for {height} rows of {step}, got {len(data)}")
    if convert is None:
        return RawImage(pixel_format, width, height, data, step)
    data, step = convert(data, width, height, step)
    return RawImage(pixel_format, width, height, data, step)


def encoded_payload_of(message: Any) -> EncodedImage:
    """The payload of a ``sensor_msgs/CompressedImage``; raises :class:`PictureError`."""
    if "compressedDepth" in message.format:
        raise PictureError(f"format must be that of a JPEG or PNG, got {message.format!r}, which is a depth image")
    if len(message.data) == 0:
        raise PictureError("data must hold a picture, got 0 bytes")
    return EncodedImage(bytes(message.data))


def _without_alpha(data: bytes, width: int, height: int, step: int) -> tuple[bytes, int]:
    out = bytearray(width * height * 3)
    packed = data if step == width * 4 else b"".join(data[row * step : row * step + width * 4] for row in range(height))
    for sample in range(3):
        out[sample::3] = packed[sample::4]
    return bytes(out), width * 3


def _swapped(data: bytes, width: int, height: int, step: int) -> tuple[bytes, int]:
    """UYVY as YUYV: the bytes of each pair change places."""
    if step % 2:
        raise PictureError(f"step must be even for uyvy, got {step}")
    out = bytearray(data)
    out[0::2], out[1::2] = data[1::2], data[0::2]
    return bytes(out), step


def _swapped_chroma(data: bytes, width: int, height: int, step: int) -> tuple[bytes, int]:
    """NV21 as NV12: U and V change places."""
    luma = step * height
    rows, _ = _swapped(data[luma:], width, height // 2, step)
    return data[:luma] + rows, step


_Convert = Callable[[bytes, int, int, int], tuple[bytes, int]]
_ENCODINGS: dict[str, tuple[int, bool, PixelFormat, _Convert | None]] = {
    "mono8": (1, False, PixelFormat.GRAY8, None),
    "8UC1": (1, False, PixelFormat.GRAY8, None),
    "bgr8": (3, False, PixelFormat.BGR24, None),
    "8UC3": (3, False, PixelFormat.BGR24, None),
    "rgb8": (3, False, PixelFormat.RGB24, None),
    "bgra8": (4, False, PixelFormat.BGR24, _without_alpha),
    "8UC4": (4, False, PixelFormat.BGR24, _without_alpha),
    "rgba8": (4, False, PixelFormat.RGB24, _without_alpha),
    "yuv422_yuy2": (2, False, PixelFormat.YUYV, None),
    "yuyv": (2, False, PixelFormat.YUYV, None),
    "yuv422": (2, False, PixelFormat.YUYV, _swapped),
    "uyvy": (2, False, PixelFormat.YUYV, _swapped),
    "nv12": (1, True, PixelFormat.NV12, None),
    "nv21": (1, True, PixelFormat.NV12, _swapped_chroma),
}
"""By ``encoding`` of sensor_msgs/image_encodings.hpp: bytes per px of the first plane, whether planes of chroma at half
the size follow, and the layout of ferserve with the way to it."""
