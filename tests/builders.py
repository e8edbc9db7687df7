"""Pictures and clips that tests need, built by code: nothing here is read from a file of the repository."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]

ASTRONAUT_FACE = (169.0, 68.0, 274.0, 178.0)
"""Where the face is in :func:`astronaut`, (x0, y0, x1, y1) px, by eye."""


@lru_cache
def astronaut() -> Pixels:
    """Eileen Collins, BGR uint8 (512, 512, 3); public domain, from scikit-image's own wheel."""
    from skimage import data

    bgr = np.ascontiguousarray(data.astronaut()[:, :, ::-1])
    bgr.flags.writeable = False
    return bgr


def scene(step: float = 0.0, width: int = 640, height: int = 480, scale: float = 0.8) -> Pixels:
    """The astronaut moved, scaled and lit differently at every ``step`` (seconds), BGR uint8 (height, width, 3)."""
    zoom = scale * (1 + 0.1 * np.sin(step))
    dx = width / 2 - 220 * zoom + 0.1 * width * np.sin(0.9 * step)
    dy = height / 2 - 130 * zoom + 0.05 * height * np.cos(1.3 * step)
    warp = np.array([[zoom, 0, dx], [0, zoom, dy]], np.float32)
    moved = cv2.warpAffine(astronaut(), warp, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return cv2.convertScaleAbs(moved, alpha=1 + 0.15 * np.sin(1.7 * step))


def empty_scene(width: int = 640, height: int = 480) -> Pixels:
    """A smooth gradient without any face, BGR uint8."""
    ramp = np.linspace(40, 200, width, dtype=np.uint8)
    return np.repeat(np.repeat(ramp[None, :, None], height, 0), 3, 2)


def jpeg(bgr: Pixels, quality: int = 90) -> bytes:
    """``bgr`` as a JPEG file."""
    return simplejpeg.encode_jpeg(np.ascontiguousarray(bgr), quality, "BGR")


def jpeg_clip(frames: int, fps: float = 30.0, **scene_args: Any) -> list[bytes]:
    """The moving astronaut as JPEG files."""
    return [jpeg(scene(i / fps, **scene_args)) for i in range(frames)]


def video_file(path: Path, frames: int = 30, fps: float = 30.0) -> Path:
    """The moving astronaut as a Motion-JPEG AVI at ``path``."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, (640, 480))
    for i in range(frames):
        writer.write(scene(i / fps))
    writer.release()
    return path


def webm_without_duration(path: Path, frames: int, fps: float) -> None:
    """The moving astronaut as a WebM at ``path`` that was written as it was recorded."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"VP80"), fps, (320, 240))
    for i in range(frames):
        writer.write(scene(i / fps, 320, 240))
    writer.release()
    head, tag, tail = path.read_bytes().partition(b"\x44\x89\x88")  # Duration, an element of 8 bytes
    assert tag
    path.write_bytes(head + b"\xec\x89\0" + tail)  # Void, of 9


def encoded(image: Image.Image, image_format: str, **save: Any) -> bytes:
    """``image`` as a file of ``image_format``, a name of Pillow's."""
    buffer = io.BytesIO()
    image.save(buffer, image_format, **save)
    return buffer.getvalue()


def rgb_picture() -> Image.Image:
    """The astronaut as Pillow holds it."""
    return Image.fromarray(np.ascontiguousarray(astronaut()[:, :, ::-1]))


def png_16_bit() -> bytes:
    """A grey PNG of 16 bits a sample."""
    return encoded(image_16_bit(), "PNG")


def image_16_bit() -> Image.Image:
    """A grey picture of 16 bits a sample."""
    return Image.fromarray(np.full((32, 32), 40_000, np.uint16))


def cmyk_jpeg() -> bytes:
    """A JPEG of four inks."""
    return encoded(rgb_picture().convert("CMYK"), "JPEG")


def animated(image_format: str) -> bytes:
    """Two frames in one PNG, WebP or GIF file."""
    first, second = rgb_picture().resize((64, 64)), Image.new("RGB", (64, 64), "red")
    return encoded(first, image_format, save_all=True, append_images=[second], duration=100, loop=0)


def tall_png(height: int) -> bytes:
    """One pixel wide."""
    return encoded(Image.new("L", (1, height)), "PNG")


def jpeg_of_scans(repeats: int) -> bytes:
    """A progressive JPEG whose last scan is repeated ``repeats`` times."""
    whole = encoded(rgb_picture(), "JPEG", progressive=True)
    last = whole.rindex(b"\xff\xda")
    return whole[:last] + whole[last:-2] * repeats + whole[-2:]


def png_bomb(side: int = 50_000) -> bytes:
    """A PNG of about 1 KB that says it has ``side`` x ``side`` pixels."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def moving_faces(seconds: float, fps: float = 30.0) -> Iterator[Pixels]:
    """The moving astronaut, frame after frame, as fast as it is asked for."""
    for i in range(int(seconds * fps)):
        yield scene(i / fps)
