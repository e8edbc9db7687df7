"""Frames: what a client sends."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from ferserve.types.value import Value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class PixelFormat(Enum):
    """Layouts of raw frames; the value is the name in configuration and messages."""

    GRAY8 = "gray8"
    BGR24 = "bgr24"
    RGB24 = "rgb24"
    NV12 = "nv12"
    I420 = "i420"
    YUYV = "yuyv"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class EncodedImage(Value):
    """A JPEG, PNG, WebP, BMP, GIF or TIFF file as bytes."""

    data: bytes

    def __repr__(self) -> str:
        return f"EncodedImage({len(self.data)} bytes)"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RawImage(Value):
    """An uncompressed frame of ``width`` x ``height`` px.

    ``data`` holds the planes one after the other: one plane for GRAY8, BGR24, RGB24 and YUYV; Y then interleaved UV
    for NV12; Y, U, V for I420. ``stride`` is the length of one row of the first plane in bytes, 0 for rows without
    padding; the chroma rows of NV12 have the same stride, those of I420 half of it.
    """

    pixel_format: PixelFormat
    width: int
    height: int
    data: bytes | memoryview | NDArray[np.uint8]
    stride: int = 0

    @property
    def data_bytes(self) -> int:
        """Size of ``data``."""
        return len(self.data) if isinstance(self.data, bytes | bytearray) else self.data.nbytes

    def __repr__(self) -> str:
        return f"RawImage({self.pixel_format.name}, {self.width}x{self.height} px, {self.data_bytes} bytes)"


@dataclass(frozen=True, slots=True, eq=False)
class Crops(Value):
    """Faces that the client cut out itself: each image is one face, and detection is skipped."""

    images: tuple[EncodedImage | RawImage, ...]


Payload: TypeAlias = EncodedImage | RawImage | Crops
"""Content of a frame: one image, or faces that are already cut out."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Frame(Value):
    """One frame of a stream, or one image of a single call.

    ``boxes`` float32 (N, 4) as (x0, y0, x1, y1) in pixels: faces that the client knows already. None lets the
    server detect; an array, even an empty one, skips detection.
    """

    frame_id: int
    payload: Payload
    capture_time_ns: int = 0
    boxes: NDArray[np.float32] | None = None
    neutral: bool = False
    """Every face in this frame shows its neutral expression; streams calibrate on it."""

    @property
    def payload_bytes(self) -> int:
        """Memory that the payload holds."""
        images = self.payload.images if isinstance(self.payload, Crops) else (self.payload,)
        return sum(image.data_bytes if isinstance(image, RawImage) else len(image.data) for image in images)

    def __repr__(self) -> str:
        boxes = "" if self.boxes is None else f", {len(self.boxes)} boxes"
        # Iterables may hold frames of arrays, whose own text has many lines.
        known = isinstance(self.payload, EncodedImage | RawImage | Crops)
        payload = repr(self.payload) if known else type(self.payload).__name__
        return f"Frame({self.frame_id}, {payload}{boxes}{', neutral' if self.neutral else ''})"
