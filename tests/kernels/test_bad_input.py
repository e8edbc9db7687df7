"""Bad input is a ValueError that names the field, what it must be and what it got, before any write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ferserve.models.spec import InputSpec
from ferserve.vision.preprocess import letterbox_into, preprocess_batch_into, preprocess_into

SPEC = InputSpec(8, 6)
COLOR = InputSpec(8, 6, color="rgb", mean=(0.0,) * 3, std=(1.0,) * 3)
LUMA = np.zeros((20, 30), np.uint8)
BGR = np.zeros((20, 30, 3), np.uint8)
BOXES = np.array([[1, 2, 11, 12], [3, 3, 9, 9]], np.float32)


def batch(rows: int = 2, spec: InputSpec = SPEC) -> np.ndarray:
    return np.full((rows, *spec.row_shape), 7, spec.dtype)


def read_only(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


def with_box(*box: float) -> np.ndarray:
    boxes = BOXES.copy()
    boxes[1] = box
    return boxes


shared = np.zeros(20 * 30 + 8 * 6 * 4 * 2, np.uint8)
overlapping_image = shared[: 20 * 30].reshape(20, 30)
overlapping_out = shared[20 * 30 - 4 : 20 * 30 - 4 + 384].view(np.float32).reshape(2, 1, 8, 6)

CASES: dict[str, tuple[dict[str, Any], str]] = {
    "image dtype": ({"image": LUMA.astype(np.float32)}, r"image must be uint8 .*, got float32 \(20, 30\)"),
    "image signed": ({"image": LUMA.astype(np.int8)}, r"image must be uint8 .*, got int8 \(20, 30\)"),
    "image bool": ({"image": LUMA.astype(bool)}, r"image must be uint8 .*, got bool"),
    "image rank": ({"image": LUMA[0]}, r"image must be uint8 \(H, W\) .*, got uint8 \(30,\)"),
    "image no array": ({"image": [[1, 2]]}, r"image must be .*, got list"),
    "image none": ({"image": None}, r"image must be .*, got NoneType"),
    "image empty": ({"image": LUMA[:0]}, r"image must be from 1 to 65535 px .*, got uint8 \(0, 30\)"),
    "luma for bgr": ({"color": "bgr"}, r"image must be uint8 \(H, W, 3\) .*, got uint8 \(20, 30\)"),
    "bgr for luma": ({"image": BGR}, r"image must be uint8 \(H, W\) .*, got uint8 \(20, 30, 3\)"),
    "two channels": (
        {"image": BGR[..., :2], "color": "rgb"},
        r"image must be .*, got uint8 \(20, 30, 2\)",
    ),
    "rows backwards": ({"image": LUMA[::-1]}, r"image must have rows .*, got strides \(-30, 1\); pass np.ascont"),
    "pixels backwards": ({"image": LUMA[:, ::-1]}, r"image must have rows .*, got strides \(30, -1\)"),
    "channels backwards": ({"image": BGR[..., ::-1], "color": "rgb"}, r"adjacent channels, got strides \(90, 3, -1\)"),
    "planar": ({"image": BGR.reshape(3, 20, 30).transpose(1, 2, 0), "color": "rgb"}, r"image must have .*got strides"),
    "broadcast": ({"image": np.broadcast_to(LUMA[:, :1], (20, 30))}, r"image must have .*, got strides \(30, 0\)"),
    "color": ({"color": "grey"}, r"color must be one of 'luma', 'bgr', 'rgb', got 'grey'"),
    "rows all the same": (
        {"image": np.broadcast_to(LUMA[0], LUMA.shape)},
        r"image must have rows and pixels in rising order .*, got strides \(0, 1\)",
    ),
    "boxes dtype": ({"xyxy": BOXES.astype(float)}, r"xyxy must be float32 \(N, 4\), got float64 \(2, 4\)"),
    "boxes rank": ({"xyxy": BOXES[0]}, r"xyxy must be float32 \(N, 4\), got float32 \(4,\)"),
    "boxes width": ({"xyxy": BOXES[:, :3]}, r"xyxy must be float32 \(N, 4\), got float32 \(2, 3\)"),
    "boxes list": ({"xyxy": [[1, 2, 3, 4]]}, r"xyxy must be .*, got list"),
    "big endian": ({"xyxy": BOXES.astype(">f4")}, r"xyxy must be float32 \(N, 4\), got >f4 \(2, 4\)"),
    "nan": ({"xyxy": with_box(np.nan, 1, 5, 5)}, r"xyxy\[1\] must be finite .*, got \(nan, 1, 5, 5\)"),
    "infinite": ({"xyxy": with_box(0, 0, np.inf, 5)}, r"xyxy\[1\] must be finite .*, got \(0, 0, inf, 5\)"),
    "inverted": ({"xyxy": with_box(9, 0, 3, 5)}, r"xyxy\[1\] must be .* x0 < x1 .*, got \(9, 0, 3, 5\)"),
    "empty box": ({"xyxy": with_box(3, 4, 3, 8)}, r"xyxy\[1\] must be .*, got \(3, 4, 3, 8\)"),
    "left of it": (
        {"xyxy": with_box(-9, 0, 0, 5)},
        r"xyxy\[1\] must overlap the image of 30 x 20 px, got \(-9, 0,",
    ),
    "below it": ({"xyxy": with_box(0, 20, 5, 25)}, r"xyxy\[1\] must overlap the image of 30 x 20 px"),
    "cut to nothing": (
        {"xyxy": with_box(0, 0, 2, 20), "spec": InputSpec(8, 6, square=False, margin=-0.4)},
        r"xyxy\[1\] must keep a width and a height after the margin of -0.4",
    ),
    "out dtype": ({"out": batch().astype(float)}, r"out must be float32 \(N, 1, 8, 6\), got float64 \(2, 1, 8, 6\)"),
    "out shape": (
        {"out": np.zeros((2, 1, 6, 8), np.float32)},
        r"out must be .*1, 8, 6\), got .*\(2, 1, 6, 8\)",
    ),
    "out rank": ({"out": batch()[:, 0]}, r"out must be float32 .*, got float32 \(2, 8, 6\)"),
    "out rows": ({"out": batch(1)}, r"out must be float32 \(at least 2, 1, 8, 6\), got float32 \(1, 1, 8, 6\)"),
    "row past the end": ({"row": 1}, r"out must be float32 \(at least 3, 1, 8, 6\), .* and row 1"),
    "negative row": ({"row": -1}, r"row at least 0.* and row -1"),
    "huge row": ({"row": 2**62}, r"out must be .* and row 4611686018427387904"),
    "endless row": ({"row": 2**63 - 1}, r"out must be .* and row 9223372036854775807"),
    "row beyond all": ({"row": 2**70}, r"out must be .* and row 1180591620717411303424"),
    "read-only": ({"out": read_only(batch())}, r"out must be writable, got a read-only float32 \(2, 1, 8, 6\)"),
    "out backwards": ({"out": batch()[::-1]}, r"out must hold each row in C order, rows in rising order, got strides"),
    "out transposed": (
        {"out": np.zeros((2, 1, 6, 8), np.float32).swapaxes(2, 3)},
        r"out must hold each row in C order",
    ),
    "rows overlap": (
        {"out": np.lib.stride_tricks.as_strided(np.zeros(99, np.float32), (2, 1, 8, 6), (4, 4, 24, 4))},
        r"out must hold each row in C order, rows in rising order",
    ),
    "overlap": ({"image": overlapping_image, "out": overlapping_out}, r"out must be memory apart from image"),
    "landmarks dtype": ({"landmarks": np.zeros((2, 5, 2))}, r"landmarks must be float32 \(2, 5, 2\), got float64"),
    "landmarks count": (
        {"landmarks": np.zeros((1, 5, 2), np.float32)},
        r"landmarks must .*, got float32 \(1, 5, 2\)",
    ),
    "landmarks rank": ({"landmarks": np.zeros((2, 10), np.float32)}, r"landmarks must be .*, got float32 \(2, 10\)"),
}


@pytest.mark.parametrize(("change", "message"), CASES.values(), ids=CASES.keys())
def test_bad_input_is_refused_by_name(change: dict[str, Any], message: str) -> None:
    call = {"image": LUMA, "color": "luma", "xyxy": BOXES, "spec": SPEC, "out": batch()} | change
    before = call["out"].copy()
    with pytest.raises(ValueError, match=message):
        preprocess_into(**call)
    np.testing.assert_array_equal(call["out"], before)


def test_no_box_writes_nothing() -> None:
    out = batch(0)
    preprocess_into(LUMA, "luma", np.zeros((0, 4), np.float32), SPEC, out)
    out = batch(2)
    preprocess_into(LUMA, "luma", np.zeros((0, 4), np.float32), SPEC, out)
    assert (out == 7).all()


BATCH_CASES: dict[str, tuple[Callable[[], None], str]] = {
    "fewer boxes": (lambda: preprocess_batch_into([LUMA, LUMA], "luma", [BOXES], SPEC, batch(4)), r"\(2\), got 1 and"),
    "fewer landmarks": (
        lambda: preprocess_batch_into([LUMA, LUMA], "luma", [BOXES, BOXES], SPEC, batch(4), [None]),
        r"boxes and landmarks must hold one array per image \(2\), got 2 and 1",
    ),
    "no thread": (
        lambda: preprocess_batch_into([LUMA], "luma", [BOXES], SPEC, batch(2), threads=0),
        r"threads must be at least 1, got 0",
    ),
    "one bad box": (
        lambda: preprocess_batch_into([LUMA, LUMA], "luma", [BOXES, with_box(9, 9, 1, 1)], SPEC, batch(4)),
        r"xyxy\[1\] must be finite",
    ),
    "rows of all images": (
        lambda: preprocess_batch_into([LUMA, LUMA], "luma", [BOXES, BOXES], SPEC, batch(3)),
        r"out must be float32 \(at least 4, 1, 8, 6\)",
    ),
}


@pytest.mark.parametrize(("call", "message"), BATCH_CASES.values(), ids=BATCH_CASES.keys())
def test_bad_batches_are_refused_by_name(call: Callable[[], None], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


LETTERBOX_CASES: dict[str, tuple[tuple[Any, Any, dict[str, float]], str]] = {
    "luma dtype": ((LUMA.astype(float), np.zeros((4, 4), np.uint8), {}), r"luma must be uint8 \(H, W\), got float64"),
    "luma rank": ((BGR, np.zeros((4, 4), np.uint8), {}), r"luma must be uint8 \(H, W\).*, got uint8 \(20, 30, 3\)"),
    "out dtype": ((LUMA, np.zeros((4, 4), np.int32), {}), r"out must be uint8 or float32 \(h, w\), got int32"),
    "out half": ((LUMA, np.zeros((4, 4), np.float16), {}), r"out must be uint8 or float32 \(h, w\), got float16"),
    "out rank": ((LUMA, np.zeros((1, 4, 4), np.uint8), {}), r"out must be uint8 or float32 \(h, w\).*, got uint8"),
    "out empty": ((LUMA, np.zeros((0, 4), np.uint8), {}), r"out must be .* of 1 to 65535 px each, got uint8 \(0, 4\)"),
    "read-only": ((LUMA, read_only(np.zeros((4, 4), np.uint8)), {}), r"out must be writable, got a read-only"),
    "lines apart": ((LUMA, np.zeros((4, 8), np.uint8)[:, ::2], {}), r"out must hold contiguous lines"),
    "backwards": ((LUMA, np.zeros((4, 8), np.uint8)[::-1], {}), r"out must hold contiguous lines in rising order"),
    "overlap": ((LUMA, LUMA[:10, :10], {}), r"out must be memory apart from"),
    "fill": ((LUMA, np.zeros((4, 4), np.float32), {"fill": np.nan}), r"fill, .* must be finite, got nan"),
    "std": ((LUMA, np.zeros((4, 4), np.float32), {"std": 0.0}), r"std must be above 0, got 0"),
}


@pytest.mark.parametrize(("call", "message"), LETTERBOX_CASES.values(), ids=LETTERBOX_CASES.keys())
def test_bad_letterboxes_are_refused_by_name(call: tuple[Any, Any, dict[str, float]], message: str) -> None:
    luma, out, options = call
    with pytest.raises(ValueError, match=message):
        letterbox_into(luma, out, **options)
