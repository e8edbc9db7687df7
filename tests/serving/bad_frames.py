"""Everything that clients send by mistake or malice, and words that the error must hold."""

from __future__ import annotations

import math
from typing import Any

from ferserve.v1 import emotion_pb2 as pb
from tests import builders

_JPEG = builders.jpeg(builders.astronaut())
_GREY = pb.PIXEL_FORMAT_GRAY8


def _boxes(*boxes: tuple[float, float, float, float]) -> dict[str, Any]:
    made = [pb.Box(x0=x0, y0=y0, x1=x1, y1=y1) for x0, y0, x1, y1 in boxes]
    return {"encoded": _JPEG, "boxes": pb.Boxes(boxes=made)}


def _raw(length: int, **fields: Any) -> dict[str, Any]:
    return {"raw": pb.RawImage(**{"format": _GREY, "width": 8, "height": 8, "data": bytes(length), **fields})}


BAD_FRAMES: dict[str, tuple[dict[str, Any], str]] = {
    "no payload": ({"capture_time_ns": 1}, "payload must be encoded, raw or crops, got none"),
    "empty bytes": ({"encoded": b""}, "must be an image file, got 0 bytes"),
    "no image": ({"encoded": b"hello, this is no image at all"}, "must be a known image format"),
    "truncated JPEG": ({"encoded": _JPEG[: len(_JPEG) // 2]}, "must be a whole JPEG"),
    "JPEG header alone": ({"encoded": _JPEG[:20]}, "must be"),
    "PNG bomb": ({"encoded": builders.png_bomb()}, "at most 50000000 px, got 50000x50000"),
    "raw bomb": (_raw(4, width=60_000, height=60_000), "at most 50000000 px, got 60000x60000"),
    "raw too wide": (_raw(70_000, width=70_000, height=1), "at most 65535 px wide and high, got 70000x1"),
    "PNG too high": ({"encoded": builders.tall_png(70_000)}, "at most 65535 px wide and high"),
    "crop too wide": (
        {"crops": pb.Crops(images=[pb.Image(raw=_raw(70_000, width=70_000, height=1)["raw"])])},
        "at most 65535 px wide and high",
    ),
    "JPEG of many scans": ({"encoded": builders.jpeg_of_scans(200)}, "at most 100 scans"),
    "too many boxes": (_boxes(*[(0, 0, 9, 9)] * 65), "frame.boxes must be at most 64, got 65"),
    "too many crops": ({"crops": pb.Crops(images=[pb.Image()] * 65)}, "frame.crops must be at most 64, got 65"),
    "raw too short": (_raw(63), "must be 64 bytes"),
    "raw too long": (_raw(65), "must be 64 bytes"),
    "raw stride too small": (_raw(64, stride_bytes=7), "stride_bytes must be at least 8"),
    "raw of odd width": (_raw(96, format=pb.PIXEL_FORMAT_NV12, width=7), "must be even"),
    "raw of no size": (_raw(0, width=0, height=0), "at least 1 px"),
    "raw without format": (_raw(64, format=0), "format must be one of"),
    "raw of unknown format": (_raw(64, format=77), "format must be one of"),
    "box without area": (_boxes((10, 10, 10, 40)), "boxes[0] must be"),
    "box inside out": (_boxes((1, 1, 5, 5), (30, 10, 10, 40)), "boxes[1] must be"),
    "box out of frame": (_boxes((600, 10, 700, 40)), "boxes[0] must overlap the frame"),
    "NaN box": (_boxes((math.nan, 10, 20, 40)), "boxes[0] must be finite"),
    "infinite box": (_boxes((0, 0, math.inf, 40)), "boxes[0] must be finite"),
    "16-bit PNG": ({"encoded": builders.png_16_bit()}, "8 bits a channel, got a PNG with 16"),
    "CMYK JPEG": ({"encoded": builders.cmyk_jpeg()}, "CMYK"),
    "animated PNG": ({"encoded": builders.animated("PNG")}, "still image, got an animated PNG"),
    "animated WebP": ({"encoded": builders.animated("WEBP")}, "still image, got an animated WebP"),
    "cut GIF": ({"encoded": builders.animated("GIF")[:900]}, "must be a whole image"),
    "16-bit TIFF": (
        {"encoded": builders.encoded(builders.image_16_bit(), "TIFF")},
        "8 bits a channel, got a TIFF with 16",
    ),
    "boxes and crops": ({"crops": pb.Crops(images=[pb.Image(encoded=_JPEG)]), "boxes": pb.Boxes()}, "must be absent"),
    "empty crop": ({"crops": pb.Crops(images=[pb.Image()])}, "crops[0] must be encoded or raw"),
    "damaged crop": ({"crops": pb.Crops(images=[pb.Image(encoded=_JPEG[:500])])}, "must be"),
}
