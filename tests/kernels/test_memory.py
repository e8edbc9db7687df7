"""No call reads or writes outside its arrays, and Python threads run while one works."""

from __future__ import annotations

import multiprocessing
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ferserve.models.spec import InputSpec
from ferserve.vision.preprocess import letterbox_into, preprocess_batch_into, preprocess_into
from tests import reference
from tests.kernels import cases
from tests.kernels.guarded import GuardedBatch, GuardedImage

BOX = np.array([[100, 50, 300, 250]], np.float32)


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    height=st.integers(1, 90),
    width=st.integers(1, 130),
    color=st.sampled_from(cases.COLORS),
    count=st.integers(0, 4),
    flush_left=st.booleans(),
)
def test_any_call_stays_within_its_memory_and_equals_the_reference(
    seed: int, height: int, width: int, color: str, count: int, flush_left: bool
) -> None:
    rng = np.random.default_rng(seed)
    spec = cases.random_spec(rng)
    boxes = cases.random_boxes(rng, height, width, count)
    with GuardedImage(rng, height, width, color, flush_left) as image, GuardedBatch(count, spec) as batch:
        preprocess_into(image.pixels, color, boxes, spec, batch.out)
        batch.check()
        tolerance = {"float32": 0.05, "float16": 0.6, "uint8": 1.0}[spec.dtype]
        for row, box in zip(batch.out, boxes, strict=True):
            wanted = reference.preprocess(image.pixels, color, box, spec)
            np.testing.assert_allclose(row.astype(np.float64), wanted, rtol=0, atol=tolerance)


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    shape=st.tuples(st.integers(1, 300), st.integers(1, 300)),
    canvas=st.tuples(st.integers(1, 200), st.integers(1, 200)),
)
def test_any_letterbox_equals_the_reference(seed: int, shape: tuple[int, int], canvas: tuple[int, int]) -> None:
    luma = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    out = np.zeros(canvas, np.float32)
    letterbox_into(luma, out, fill=50)
    np.testing.assert_allclose(out, reference.letterbox(luma, *canvas, fill=50), rtol=0, atol=0.02)


def test_threads_give_the_rows_of_one(path: str) -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (240, 320, 3), np.uint8) for _ in range(3)]
    boxes = [cases.random_boxes(rng, 240, 320, n) for n in (40, 0, 57)]
    spec = InputSpec(48, 48, margin=0.1)
    one, many = np.zeros((2, 97, *spec.row_shape), np.float32)
    preprocess_batch_into(images, "bgr", boxes, spec, one, threads=1)
    for threads in (2, 4, 200):
        many[:] = 0
        preprocess_batch_into(images, "bgr", boxes, spec, many, threads=threads)
        np.testing.assert_array_equal(many, one)


def test_batches_of_several_python_threads_at_once() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (240, 320), np.uint8)
    boxes = cases.random_boxes(rng, 240, 320, 64)
    spec = InputSpec(32, 32)
    wanted = np.zeros((64, *spec.row_shape), np.float32)
    preprocess_batch_into([image], "luma", [boxes], spec, wanted)
    failures: list[int] = []

    def work(name: int) -> None:
        for _ in range(20):
            out = np.zeros_like(wanted)
            preprocess_batch_into([image], "luma", [boxes], spec, out, threads=3)
            if not np.array_equal(out, wanted):
                failures.append(name)

    callers = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not failures


def _batch_sum() -> float:
    image = np.arange(240 * 320, dtype=np.uint32).astype(np.uint8).reshape(240, 320)
    out = np.zeros((16, 1, 48, 48), np.float32)
    preprocess_batch_into([image], "luma", [np.repeat(BOX, 16, 0)], InputSpec(48, 48), out, threads=4)
    return float(out.sum())


@pytest.mark.filterwarnings("ignore:.*fork")
def test_a_forked_child_starts_threads_of_its_own() -> None:
    wanted = _batch_sum()
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply_async(_batch_sum).get(timeout=30) == wanted


def test_the_gil_is_free_while_pixels_move() -> None:
    """Python keeps running in the middle of one long call; with the GIL held it could only before and after."""
    spec = InputSpec(1500, 1500, resize="antialias", align="landmarks")
    marks = (reference.TEMPLATE * 3000).astype(np.float32)[None]
    image = np.zeros((4000, 4000), np.uint8)
    out = np.zeros((1, *spec.row_shape), np.float32)
    span: list[float] = []
    ticks: list[float] = []

    def call() -> None:
        span.append(time.perf_counter())
        preprocess_into(image, "luma", BOX, spec, out, marks)
        span.append(time.perf_counter())

    caller = threading.Thread(target=call)
    caller.start()
    while caller.is_alive():
        ticks.append(time.perf_counter())
        time.sleep(0.0005)
    began, ended = span
    third = (ended - began) / 3
    assert any(began + third < tick < ended - third for tick in ticks)
