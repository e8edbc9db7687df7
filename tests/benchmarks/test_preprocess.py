"""The kernels against OpenCV, Pillow and memcpy, one thread each unless said; each answer is asserted before timing.

make bench    or    pytest tests/benchmarks/test_preprocess.py -o addopts=--import-mode=importlib --benchmark-only
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from PIL import Image
from pytest_benchmark.fixture import BenchmarkFixture

from ferserve.models.spec import InputSpec
from ferserve.vision.preprocess import letterbox_into, preprocess_batch_into, preprocess_into
from tests import reference

cv2.setNumThreads(1)

Pair = tuple[Callable[[], object], Callable[[], object]]

BGR = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8), (5, 5), 0)
LUMA = cv2.cvtColor(BGR, cv2.COLOR_BGR2GRAY)
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


def bgr_area() -> Pair:
    spec, ours, peer = InputSpec(**FACE), *np.zeros((2, 1, 1, 48, 48), np.float32)

    def opencv() -> None:
        grey = cv2.cvtColor(crop_of(BGR), cv2.COLOR_BGR2GRAY)
        normalise_into(peer, cv2.resize(grey, (48, 48), interpolation=cv2.INTER_AREA))

    return assert_close(lambda: preprocess_into(BGR, "bgr", BOX, spec, ours), opencv, ours, peer)


def luma_by(method: str, interpolation: int) -> Pair:
    spec, ours, peer = InputSpec(**FACE, resize=method), *np.zeros((2, 1, 1, 48, 48), np.float32)

    def opencv() -> None:
        normalise_into(peer, cv2.resize(crop_of(LUMA), (48, 48), interpolation=interpolation))

    return assert_close(lambda: preprocess_into(LUMA, "luma", BOX, spec, ours), opencv, ours, peer)


def luma_antialias() -> Pair:
    spec, ours, peer = InputSpec(**FACE, resize="antialias"), *np.zeros((2, 1, 1, 48, 48), np.float32)
    frame = Image.fromarray(LUMA)

    def pillow() -> None:
        face = frame.resize((48, 48), Image.Resampling.BILINEAR, (100, 100, 300, 300))
        normalise_into(peer, np.asarray(face))

    return assert_close(lambda: preprocess_into(LUMA, "luma", BOX, spec, ours), pillow, ours, peer)


def imagenet() -> Pair:
    spec = InputSpec(224, 224, color="rgb", mean=IMAGENET_MEAN, std=IMAGENET_STD)
    ours, peer = np.zeros((2, 1, 3, 224, 224), np.float32)
    box = np.array([[100, 100, 420, 420]], np.float32)
    mean, std = np.float32(IMAGENET_MEAN), np.float32(IMAGENET_STD)

    def opencv() -> None:
        face = cv2.resize(BGR[100:420, 100:420], (224, 224), interpolation=cv2.INTER_AREA)
        rgb = cv2.cvtColor(face, cv2.COLOR_BGR2RGB).astype(np.float32) / np.float32(255)
        peer[0] = ((rgb - mean) / std).transpose(2, 0, 1)

    return assert_close(lambda: preprocess_into(BGR, "bgr", box, spec, ours), opencv, ours, peer)


def letterbox() -> Pair:
    ours, peer = np.zeros((2, 240, 320), np.uint8)

    def opencv() -> None:
        cv2.resize(LUMA, (320, 240), dst=peer, interpolation=cv2.INTER_AREA)

    return assert_close(lambda: letterbox_into(LUMA, ours), opencv, ours, peer, tolerance=1)


def aligned() -> Pair:
    """The peer of the same quality: a warp at five times the size, then the area method."""
    spec, large = InputSpec(**FACE, align="landmarks"), InputSpec(240, 240, align="landmarks")
    turn = np.array([[np.cos(0.2), -np.sin(0.2)], [np.sin(0.2), np.cos(0.2)]])
    marks = ((reference.TEMPLATE - 0.5) * 200 @ turn.T + 240).astype(np.float32)
    matrix = reference.similarity(marks, large)
    matrix[:, 2] += matrix[:, :2].sum(axis=1) / 2 - 0.5  # OpenCV counts from pixel centres
    ours, peer = np.zeros((2, 1, 1, 48, 48), np.float32)

    def opencv() -> None:
        warped = cv2.warpAffine(LUMA, matrix, (240, 240), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        normalise_into(peer, cv2.resize(warped, (48, 48), interpolation=cv2.INTER_AREA))

    call = lambda: preprocess_into(LUMA, "luma", BOX, spec, ours, marks[None])  # noqa: E731
    return assert_close(call, opencv, ours, peer, tolerance=2 * GREY_LEVEL)


def memcpy() -> Pair:
    spec, ours, copy = InputSpec(**FACE), np.zeros((1, 1, 48, 48), np.float32), np.zeros((200, 200), np.uint8)
    return lambda: preprocess_into(LUMA, "luma", BOX, spec, ours), lambda: np.copyto(copy, crop_of(LUMA))


def threads() -> Pair:
    """64 faces of a frame: four threads against one."""
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 200, (64, 2)).astype(np.float32)
    boxes = [np.concatenate([corners, corners + 200], axis=1)]
    spec = InputSpec(224, 224, color="rgb", mean=IMAGENET_MEAN, std=IMAGENET_STD)
    ours, peer = np.zeros((64, *spec.row_shape), np.float32), np.zeros((64, *spec.row_shape), np.float32)
    one = lambda: preprocess_batch_into([BGR], "bgr", boxes, spec, peer)  # noqa: E731
    four = lambda: preprocess_batch_into([BGR], "bgr", boxes, spec, ours, threads=4)  # noqa: E731
    return assert_close(four, one, ours, peer, tolerance=0)


def assert_close(
    ours: Callable[[], object], peer: Callable[[], object], mine: np.ndarray, theirs: np.ndarray, tolerance: float = -1
) -> Pair:
    """Run both once and compare; by default within one grey level after normalisation (and OpenCV's rounding)."""
    ours()
    peer()
    allowed = 1.01 * GREY_LEVEL if tolerance < 0 else tolerance
    np.testing.assert_allclose(mine.astype(np.float64), theirs.astype(np.float64), rtol=0, atol=allowed)
    return ours, peer


WORK: dict[str, tuple[Callable[[], Pair], float | None]] = {
    "bgr 200 to luma 48, area, against OpenCV": (bgr_area, 5),
    "luma 200 to 48, area, against OpenCV": (lambda: luma_by("area", cv2.INTER_AREA), 10),
    "luma 200 to 48, bilinear, against OpenCV": (lambda: luma_by("bilinear", cv2.INTER_LINEAR), 2),
    "luma 200 to 48, antialias, against Pillow": (luma_antialias, None),
    "luma 200 to 48, aligned, against OpenCV": (aligned, None),
    "bgr 320 to ImageNet 224, against OpenCV and NumPy": (imagenet, 8),
    "letterbox 640x480 to 320x240, against OpenCV": (letterbox, 1.5),
    "luma 200 to 48, area, against memcpy of the crop": (memcpy, 1 / 8),
    "64 crops, four threads against one": (threads, 3.2),
}


@pytest.mark.parametrize("role", ["ours", "peer"])
@pytest.mark.parametrize("name", WORK)
def test_preprocess(benchmark: BenchmarkFixture, name: str, role: str) -> None:
    make, floor = WORK[name]
    benchmark.group = name
    benchmark.extra_info.update(role=role, **({"at_least": floor} if floor else {}))
    benchmark(make()[role == "peer"])
