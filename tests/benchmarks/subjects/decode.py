"""Bytes to luma, 640x480: OpenCV decodes the same bytes, as people write it."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

from ferserve.types import EncodedImage, RawImage
from ferserve.vision.decode import decode
from ferserve.wire.frames import frame_from_proto
from tests import builders
from tests.benchmarks.subjects.subject import Subject, Work
from tests.same_answers import pictures

MAX_PIXELS = 1 << 24
WIDTH, HEIGHT = 640, 480
TO_GREY = {"NV12": cv2.COLOR_YUV2GRAY_NV12, "I420": cv2.COLOR_YUV2GRAY_I420, "YUYV": cv2.COLOR_YUV2GRAY_YUY2}
ROWS = {"NV12": (HEIGHT * 3 // 2, WIDTH), "I420": (HEIGHT * 3 // 2, WIDTH), "YUYV": (HEIGHT, WIDTH, 2)}


def encoded(kind: str) -> Work:
    """An image file; a photograph, so that the entropy coder has work."""
    cv2.setNumThreads(1)
    scene = builders.scene()
    rgb = Image.fromarray(np.ascontiguousarray(scene[:, :, ::-1]))
    data = builders.jpeg(scene) if kind == "JPEG" else builders.encoded(rgb, kind)
    image, buffer = EncodedImage(data), np.frombuffer(data, np.uint8)
    ours = lambda: decode(image, color=False, max_pixels=MAX_PIXELS)  # noqa: E731
    opencv = lambda: cv2.imdecode(buffer, cv2.IMREAD_GRAYSCALE)  # noqa: E731
    np.testing.assert_allclose(ours().luma.astype(int), opencv().astype(int), atol=4)  # two inverse transforms
    return Work(ours, opencv)


def raw(kind: str) -> Work:
    """Pixels of a camera; a copy of its luma is what OpenCV makes of them."""
    cv2.setNumThreads(1)
    message = pictures.raw(builders.scene(), kind)
    from ferserve.v1 import emotion_pb2 as pb

    image = frame_from_proto(pb.Frame(raw=message), 1).payload
    assert isinstance(image, RawImage)
    source = np.frombuffer(bytes(image.data), np.uint8).reshape(ROWS[kind])
    ours = lambda: decode(image, color=False, max_pixels=MAX_PIXELS)  # noqa: E731
    opencv = lambda: cv2.cvtColor(source, TO_GREY[kind])  # noqa: E731
    np.testing.assert_array_equal(ours().luma, opencv())
    return Work(ours, opencv)


SUBJECTS = [
    Subject("decode", kind, lambda _, kind=kind: encoded(kind), "OpenCV", counted="C")  # type: ignore[misc]
    for kind in ("JPEG", "PNG")
] + [
    Subject("decode", kind, lambda _, kind=kind: raw(kind), "OpenCV", counted="Python")  # type: ignore[misc]
    for kind in TO_GREY
]
