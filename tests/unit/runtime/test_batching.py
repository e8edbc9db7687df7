"""Rows of many threads in one run, each with its own answer."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ferserve.errors import OverloadedError
from ferserve.runtime import Tensor, open_session
from ferserve.runtime.batching import MIN_SPEEDUP, Batcher, Measurement, choose, measure
from ferserve.runtime.classifier import Classifier
from tests.tiny_models import brightness_spec, write_brightness_model


@pytest.fixture
def classifier(tmp_path: Path) -> Classifier:
    path = write_brightness_model(tmp_path / "m.onnx")
    return Classifier(open_session(path), brightness_spec("m"))


class _Sizes:
    """The classifier, noting the sizes of its batches."""

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        self.sizes: list[int] = []

    def infer(self, batch: Tensor) -> list[NDArray[np.float32]]:
        self.sizes.append(len(batch))
        return self._classifier.infer(batch)


def _rows(*values: float) -> NDArray[np.float32]:
    return np.array(values, np.float32).reshape(-1, 1, 1, 1) * np.ones((1, 1, 8, 8), np.float32)


def test_every_thread_gets_its_own_rows_and_runs_are_shared(classifier: Classifier) -> None:
    noted = _Sizes(classifier)
    batcher = Batcher(noted.infer, max_batch_size=8, max_queue_delay_us=20_000, max_waiting_rows=100)

    def ask(i: int) -> None:
        values = [((i * 7 + j) % 101) / 100 for j in range(1 + i % 3)]
        (answer,) = batcher.infer(_rows(*values))
        np.testing.assert_allclose(answer[:, 1], values, atol=1e-6)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(ask, range(200)))
    assert sum(noted.sizes) == sum(1 + i % 3 for i in range(200))
    assert max(noted.sizes) <= 8
    assert len(noted.sizes) < 150


def test_a_lone_row_does_not_wait_longer_than_the_delay(classifier: Classifier) -> None:
    batcher = Batcher(classifier.infer, max_batch_size=8, max_queue_delay_us=1000, max_waiting_rows=8)
    assert batcher.infer(_rows(0.5))[0][0, 1] == pytest.approx(0.5)


def test_no_row_waits_while_all_other_threads_are_idle(classifier: Classifier) -> None:
    batcher = Batcher(
        classifier.infer, 8, max_queue_delay_us=600_000_000, max_waiting_rows=8, others_busy=lambda: False
    )
    assert batcher.infer(_rows(0.25))[0][0, 1] == pytest.approx(0.25)


def test_a_large_batch_goes_straight_through(classifier: Classifier) -> None:
    noted = _Sizes(classifier)
    batcher = Batcher(noted.infer, max_batch_size=4, max_queue_delay_us=10_000_000, max_waiting_rows=8)
    assert len(batcher.infer(_rows(*[0.1] * 9))[0]) == 9
    assert noted.sizes == [9]


def test_too_many_waiting_rows_are_refused(classifier: Classifier) -> None:
    joined, gate = threading.Event(), threading.Event()

    def others_busy() -> bool:
        joined.set()
        gate.wait(10)
        return False

    batcher = Batcher(classifier.infer, 8, 10_000_000, max_waiting_rows=2, others_busy=others_busy)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(batcher.infer, _rows(0.1, 0.2))
        assert joined.wait(10)
        with pytest.raises(OverloadedError, match="rows waiting must be at most 2, got one more"):
            batcher.infer(_rows(0.3))
        gate.set()
        np.testing.assert_allclose(waiting.result(10)[0][:, 1], [0.1, 0.2], atol=1e-6)


def test_an_error_reaches_everybody_and_the_next_batch_works() -> None:
    fail = True

    def infer(batch: Tensor) -> list[NDArray[np.float32]]:
        if fail:
            raise RuntimeError("no")
        return [np.zeros((len(batch), 2), np.float32)]

    batcher = Batcher(infer, 2, 1_000_000, max_waiting_rows=8)
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(batcher.infer, _rows(0.1)) for _ in range(2)]
    assert all(isinstance(f.exception(), RuntimeError) for f in futures)
    fail = False
    assert len(batcher.infer(_rows(0.1, 0.2))[0]) == 2


def test_measuring_runs_every_size(classifier: Classifier) -> None:
    found = measure(classifier.infer, _rows(0.5), (1, 4), threads=2, seconds=0.3)
    assert [m.batch_size for m in found] == [1, 4]
    assert all(m.rows_per_second > 0 and m.run_ms > 0 for m in found)


def test_a_model_whose_row_takes_longer_than_the_budget_runs_two_rows_and_no_batch(classifier: Classifier) -> None:
    noted = _Sizes(classifier)
    (only,) = measure(noted.infer, _rows(0.5), (1, 4, 16), threads=2, seconds=0)
    assert noted.sizes == [1, 1]
    assert (only.batch_size, only.threads) == (1, 1)
    assert only.rows_per_second == pytest.approx(1e3 / only.run_ms)


def test_no_size_beyond_the_first_that_takes_too_long_is_run(classifier: Classifier) -> None:
    """However slow the machine: four rows wait for longer than the budget."""
    noted = _Sizes(classifier)

    def infer(batch: Tensor) -> list[NDArray[np.float32]]:
        if len(batch) > 1:
            threading.Event().wait(0.31)
        return noted.infer(batch)

    (only,) = measure(infer, _rows(0.5), (1, 4, 16), threads=1, seconds=0.3)
    assert only.batch_size == 1
    assert max(noted.sizes) <= 4


@pytest.mark.parametrize(
    ("throughputs", "chosen"),
    [((100, 90, 80), 1), ((100, 100 * MIN_SPEEDUP - 1, 50), 1), ((100, 300, 310), 4), ((100, 200, 400), 16)],
)
def test_batching_is_chosen_only_if_it_pays(throughputs: tuple[float, ...], chosen: int) -> None:
    table = [Measurement(size, 4, rate, 1.0) for size, rate in zip((1, 4, 16), throughputs, strict=True)]
    assert choose(table).batch_size == chosen
