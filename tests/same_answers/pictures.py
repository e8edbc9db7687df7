"""Pictures that the recorded messages carry: the same bytes on every run and in every version of ferserve."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from PIL import Image

from ferserve.v1 import emotion_pb2 as pb
from tests import builders
from tests.builders import Pixels

FORMATS = ("GRAY8", "BGR24", "RGB24", "NV12", "I420", "YUYV")


def tiled(rows: int, columns: int, width: int = 960, height: int = 720) -> Pixels:
    """A group picture: the astronaut ``rows`` x ``columns`` times, each moved and lit a little differently."""
    tile_width, tile_height = width // columns, height // rows
    scale = 0.9 * min(tile_width, tile_height) / 480
    steps = np.arange(rows * columns).reshape(rows, columns)
    return np.vstack(
        [np.hstack([builders.scene(float(s), tile_width, tile_height, scale) for s in row]) for row in steps]
    )


def encoded_pictures() -> Iterator[tuple[str, bytes]]:
    """Every kind of image file that servers read, by name."""
    scene = builders.scene()
    rgb = Image.fromarray(np.ascontiguousarray(scene[:, :, ::-1]))
    for quality in (30, 75, 98):
        yield f"JPEG of quality {quality}", builders.jpeg(scene, quality)
    for subsampling in (0, 1, 2):
        yield f"JPEG of sampling {subsampling}", builders.encoded(rgb, "JPEG", subsampling=subsampling)
    yield "progressive JPEG", builders.encoded(rgb, "JPEG", progressive=True)
    yield "grey JPEG", builders.encoded(rgb.convert("L"), "JPEG")
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        yield f"JPEG of orientation {orientation}", builders.encoded(rgb, "JPEG", exif=exif)
    for mode in ("RGB", "RGBA", "L", "LA", "P", "1"):
        yield f"PNG of mode {mode}", builders.encoded(rgb.convert(mode), "PNG")
    for mode in ("RGB", "RGBA"):
        yield f"WebP of mode {mode}", builders.encoded(rgb.convert(mode), "WEBP", quality=80)
    yield "WebP without loss", builders.encoded(rgb, "WEBP", lossless=True)
    for mode in ("RGB", "L", "P"):
        yield f"BMP of mode {mode}", builders.encoded(rgb.convert(mode), "BMP")


def scenes() -> Iterator[tuple[str, Pixels]]:
    """BGR pictures from one pixel to twelve megapixels, with no face, one, and many."""
    for step in range(12):
        yield f"moved by {step}", builders.scene(step / 2)
    for scale in (0.1, 0.2, 0.4, 1.6, 3.2):
        yield f"scaled by {scale}", builders.scene(scale=scale)
    for side in (1, 2, 16, 33, 64, 128):
        yield f"{side} px", np.ascontiguousarray(cv2.resize(builders.astronaut(), (side, side)))
    for width, height in ((1280, 720), (1920, 1080), (4000, 3000), (320, 1200), (1500, 101)):
        yield f"{width}x{height}", builders.scene(1.0, width, height, height / 600)
    for rows, columns in ((1, 2), (2, 2), (3, 4), (6, 9)):
        yield f"{rows}x{columns} faces", tiled(rows, columns)
    yield "no face", builders.empty_scene()
    yield "dark", builders.scene() // 6
    yield "bright", 255 - (255 - builders.scene()) // 6


def raw(bgr: Pixels, name: str, padding: int = 0) -> pb.RawImage:
    """BGR uint8 (height, width, 3) with even sides, uncompressed in the layout ``name``; ``padding`` bytes per row."""
    height, width = bgr.shape[:2]
    planes = _planes(bgr, name)
    padded = []
    for i, plane in enumerate(planes):
        extra = padding // 2 if name == "I420" and i else padding
        padded.append(np.pad(plane, ((0, 0), (0, extra)), constant_values=77).tobytes())
    stride = planes[0].shape[1] + padding if padding else 0
    pixel_format = pb.PixelFormat.Value(f"PIXEL_FORMAT_{name}")
    return pb.RawImage(format=pixel_format, width=width, height=height, stride_bytes=stride, data=b"".join(padded))


def _planes(bgr: Pixels, name: str) -> list[Pixels]:
    """The planes of a layout, each (rows, bytes per row)."""
    height, width = bgr.shape[:2]
    if name == "GRAY8":
        return [cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY)]
    if name in ("BGR24", "RGB24"):
        return [(bgr if name == "BGR24" else bgr[:, :, ::-1]).reshape(height, -1)]
    planar = cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420).reshape(-1)
    luma, chroma = planar[: height * width].reshape(height, width), planar[height * width :]
    u, v = chroma.reshape(2, height // 2, width // 2)
    if name == "I420":
        return [luma, u, v]
    if name == "NV12":
        return [luma, np.stack([u, v], -1).reshape(height // 2, width)]
    wide = np.repeat(np.stack([u, v], -1), 2, axis=0)  # YUYV: Y U Y V, chroma for every row
    return [np.stack([luma.reshape(height, -1, 2), wide], -1).reshape(height, -1)]
