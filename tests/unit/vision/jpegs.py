"""JPEGs made by code: of any sampling, and as cameras break them."""

from __future__ import annotations

import io
import re
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage import data

RGB: NDArray[np.uint8] = np.ascontiguousarray(data.astronaut()[0:256, 100:356])
EOI = b"\xff\xd9"


def encoded(pixels: NDArray[np.uint8] = RGB, **options: object) -> bytes:
    """``pixels`` as Pillow writes them, at quality 85 unless ``options`` say otherwise."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "jpeg", **{"quality": 85, **options})
    return buffer.getvalue()


def pillow_luma(data: bytes) -> NDArray[np.uint8]:
    """The luma of a whole file as it is stored, by Pillow."""
    image = Image.open(io.BytesIO(data))
    image.draft("L", image.size)
    return np.asarray(image, np.uint8)


def restarts(jpeg: bytes) -> list[int]:
    """Where the restart markers of a file are."""
    scan = jpeg.index(b"\xff\xda")
    return [scan + found.start() for found in re.finditer(rb"\xff[\xd0-\xd7]", jpeg[scan:])]


def header_segments(jpeg: bytes) -> list[int]:
    """Where the segments of the header start, the start of the scan last."""
    starts, at = [], 2
    while True:
        starts.append(at)
        if jpeg[at + 1] == 0xDA:
            return starts
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")


def sampled(factors: list[tuple[int, int]], pixels: NDArray[np.uint8] = RGB) -> bytes:
    """Three components of any sampling ``factors`` (h, v), each in a scan of its own.

    Pillow writes each plane as a grey file; the scans are put together under one header.
    """
    planes = Image.fromarray(pixels).convert("YCbCr").split()
    height, width = pixels.shape[:2]
    most_h, most_v = max(h for h, _ in factors), max(v for _, v in factors)
    tables, scans, frame = b"", b"", b"\x08" + height.to_bytes(2, "big") + width.to_bytes(2, "big") + b"\x03"
    for id_, ((h, v), plane) in enumerate(zip(factors, planes, strict=True), 1):
        size = (-(-width * h // most_h), -(-height * v // most_v))
        grey = encoded(np.asarray(plane.resize(size, Image.Resampling.BOX)), quality=90)
        starts = header_segments(grey)
        for start, end in pairwise(starts):
            if grey[start + 1] == 0xC4:
                scans += grey[start:end]
            elif grey[start + 1] == 0xDB and id_ == 1:
                tables += grey[start:end]
        pixels_at = starts[-1] + 2 + int.from_bytes(grey[starts[-1] + 2 : starts[-1] + 4], "big")
        scans += b"\xff\xda\x00\x08\x01" + bytes((id_, 0, 0, 63, 0)) + grey[pixels_at:-2]
        frame += bytes((id_, h << 4 | v, 0))
    return b"\xff\xd8" + tables + b"\xff\xc0" + (len(frame) + 2).to_bytes(2, "big") + frame + scans + EOI
