"""The kernels against OpenCV, Pillow and memcpy, one thread each unless said."""

from __future__ import annotations

import math

import cv2
import numpy as np
from PIL import Image

from ferserve.models.spec import InputSpec
from ferserve.vision.preprocess import letterbox_into, preprocess_batch_into, preprocess_into
from tests import reference
from tests.benchmarks.subjects.subject import Call, Room, Subject, Work


def zeros(shape: tuple[int, ...], dtype: object) -> np.ndarray:
    """At the start of a cache line: what copies cost depends on where their bytes lie."""
    room = np.zeros(math.prod(shape) * np.dtype(dtype).itemsize + 64, np.uint8)
    start = -room.ctypes.data % 64
    return room[start : room.size - 64 + start].view(dtype).reshape(shape)


def copied(values: np.ndarray) -> np.ndarray:
    """The same values at the start of a cache line."""
    copy = zeros(values.shape, values.dtype)
    copy[...] = values
    return copy


BGR = copied(cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8), (5, 5), 0))
LUMA = copied(cv2.cvtColor(BGR, cv2.COLOR_BGR2GRAY))
BOX = np.array([[100, 100, 300, 300]], np.float32)
MEAN, STD = np.float32(0.5), np.float32(0.25)
GREY_LEVEL = 1 / 255 / 0.25
FACE = {"height": 48, "width": 48, "mean": (0.5,), "std": (0.25,)}
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def crop_of(image: np.ndarray) -> np.ndarray:
    return image[100:300, 100:300]


def normalise_into(slot: np.ndarray, grey: np.ndarray) -> None:
    """As people write it, in float32."""
    slot[0, 0] = (grey.astype(np.float32) * np.float32(1 / 255) - MEAN) / STD


def bgr_area(_: Room) -> Work:
    spec, ours, peer = InputSpec(**FACE), *zeros((2, 1, 1, 48, 48), np.float32)

    def opencv() -> None:
        grey = cv2.cvtColor(crop_of(BGR), cv2.COLOR_BGR2GRAY)
        normalise_into(peer, cv2.resize(grey, (48, 48), interpolation=cv2.INTER_AREA))

    return work(lambda: preprocess_into(BGR, "bgr", BOX, spec, ours), opencv, ours, peer)


def luma_by(method: str, interpolation: int) -> Work:
    spec, ours, peer = InputSpec(**FACE, resize=method), *zeros((2, 1, 1, 48, 48), np.float32)

    def opencv() -> None:
        normalise_into(peer, cv2.resize(crop_of(LUMA), (48, 48), interpolation=interpolation))

    return work(lambda: preprocess_into(LUMA, "luma", BOX, spec, ours), opencv, ours, peer)


def luma_antialias(_: Room) -> Work:
    spec, ours, peer = InputSpec(**FACE, resize="antialias"), *zeros((2, 1, 1, 48, 48), np.float32)
    frame = Image.fromarray(LUMA)

    def pillow() -> None:
        face = frame.resize((48, 48), Image.Resampling.BILINEAR, (100, 100, 300, 300))
        normalise_into(peer, np.asarray(face))

    return work(lambda: preprocess_into(LUMA, "luma", BOX, spec, ours), pillow, ours, peer)


def imagenet(_: Room) -> Work:
    spec = InputSpec(224, 224, color="rgb", mean=IMAGENET_MEAN, std=IMAGENET_STD)
    ours, peer = zeros((2, 1, 3, 224, 224), np.float32)
    box = np.array([[100, 100, 420, 420]], np.float32)
    mean, std = np.float32(IMAGENET_MEAN), np.float32(IMAGENET_STD)

    def opencv() -> None:
        face = cv2.resize(BGR[100:420, 100:420], (224, 224), interpolation=cv2.INTER_AREA)
        rgb = cv2.cvtColor(face, cv2.COLOR_BGR2RGB).astype(np.float32) / np.float32(255)
        peer[0] = ((rgb - mean) / std).transpose(2, 0, 1)

    return work(lambda: preprocess_into(BGR, "bgr", box, spec, ours), opencv, ours, peer)


def float16(_: Room) -> Work:
    spec, ours, peer = InputSpec(**FACE, dtype="float16"), *zeros((2, 1, 1, 48, 48), np.float16)

    def opencv() -> None:
        grey = cv2.cvtColor(crop_of(BGR), cv2.COLOR_BGR2GRAY)
        normalise_into(peer, cv2.resize(grey, (48, 48), interpolation=cv2.INTER_AREA))

    call = lambda: preprocess_into(BGR, "bgr", BOX, spec, ours)  # noqa: E731
    return work(call, opencv, ours, peer, tolerance=1.2 * GREY_LEVEL)


def letterbox(width: int, height: int) -> Work:
    ours, peer = zeros((2, height, width), np.uint8)

    def opencv() -> None:
        cv2.resize(LUMA, (width, height), dst=peer, interpolation=cv2.INTER_AREA)

    return work(lambda: letterbox_into(LUMA, ours), opencv, ours, peer, tolerance=1)


def aligned(_: Room) -> Work:
    """The peer of the same quality: a warp at five times the size, then the area method."""
    spec, large = InputSpec(**FACE, align="landmarks"), InputSpec(240, 240, align="landmarks")
    turn = np.array([[np.cos(0.2), -np.sin(0.2)], [np.sin(0.2), np.cos(0.2)]])
    marks = ((reference.TEMPLATE - 0.5) * 200 @ turn.T + 240).astype(np.float32)
    matrix = reference.similarity(marks, large)
    matrix[:, 2] += matrix[:, :2].sum(axis=1) / 2 - 0.5  # OpenCV counts from pixel centres
    ours, peer = zeros((2, 1, 1, 48, 48), np.float32)

    def opencv() -> None:
        warped = cv2.warpAffine(LUMA, matrix, (240, 240), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        normalise_into(peer, cv2.resize(warped, (48, 48), interpolation=cv2.INTER_AREA))

    call = lambda: preprocess_into(LUMA, "luma", BOX, spec, ours, marks[None])  # noqa: E731
    return work(call, opencv, ours, peer, tolerance=2 * GREY_LEVEL)


def memcpy(_: Room) -> Work:
    spec, ours, copy = InputSpec(**FACE), zeros((1, 1, 48, 48), np.float32), np.zeros((200, 200), np.uint8)
    return Work(lambda: preprocess_into(LUMA, "luma", BOX, spec, ours), lambda: np.copyto(copy, crop_of(LUMA)))


def threads(_: Room) -> Work:
    """64 faces of a frame: four threads against one."""
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 200, (64, 2)).astype(np.float32)
    boxes = [np.concatenate([corners, corners + 200], axis=1)]
    spec = InputSpec(224, 224, color="rgb", mean=IMAGENET_MEAN, std=IMAGENET_STD)
    ours, peer = np.zeros((64, *spec.row_shape), np.float32), np.zeros((64, *spec.row_shape), np.float32)
    one = lambda: preprocess_batch_into([BGR], "bgr", boxes, spec, peer)  # noqa: E731
    four = lambda: preprocess_batch_into([BGR], "bgr", boxes, spec, ours, threads=4)  # noqa: E731
    done = work(four, one, ours, peer, tolerance=0)
    return Work(done.ours, done.yardstick, units=64, threads=4)


def work(ours: Call, peer: Call, mine: np.ndarray, theirs: np.ndarray, tolerance: float = -1) -> Work:
    """Run both once and compare; by default within one grey level after normalisation (and OpenCV's rounding)."""
    cv2.setNumThreads(1)
    ours()
    peer()
    allowed = 1.01 * GREY_LEVEL if tolerance < 0 else tolerance
    np.testing.assert_allclose(mine.astype(np.float64), theirs.astype(np.float64), rtol=0, atol=allowed)
    return Work(ours, peer)


def _counted(name: str, make: object, yardstick: str, floor: float | None = None) -> Subject:
    return Subject("kernels", name, make, yardstick, floor, counted="C")  # type: ignore[arg-type]


SUBJECTS = [
    _counted("bgr 200 to luma 48, area", bgr_area, "OpenCV", 5),
    _counted("luma 200 to 48, area", lambda _: luma_by("area", cv2.INTER_AREA), "OpenCV", 10),
    _counted("luma 200 to 48, bilinear", lambda _: luma_by("bilinear", cv2.INTER_LINEAR), "OpenCV", 2),
    _counted("luma 200 to 48, antialias", luma_antialias, "Pillow"),
    _counted("luma 200 to 48, aligned", aligned, "OpenCV"),
    _counted("bgr 200 to luma 48, area, float16", float16, "OpenCV"),
    _counted("bgr 320 to ImageNet 224", imagenet, "OpenCV and NumPy", 8),
    _counted("letterbox 640x480 to 320x240", lambda _: letterbox(320, 240), "OpenCV", 1.5),
    _counted("letterbox 640x480 to 256x192", lambda _: letterbox(256, 192), "OpenCV"),
    Subject("kernels", "luma 200 to 48, area, beside a copy", memcpy, "memcpy of the crop", 1 / 8, heavy=True),
    Subject("kernels", "64 crops, four threads", threads, "one thread", 3.2, heavy=True),
]
