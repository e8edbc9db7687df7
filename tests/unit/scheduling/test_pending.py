"""A pending frame gets exactly one outcome and is counted once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from ferserve.config import EngineConfig
from ferserve.engine import Engine
from ferserve.errors import InvalidFrameError, OverloadedError
from ferserve.options import Delivery, StreamOptions
from ferserve.pipeline import Pipeline, Settings
from ferserve.scheduling.pending import Outcome, PendingFrame, with_future
from ferserve.sources.arrays import raw_image
from ferserve.types import DropReason, Frame, FrameResult
from ferserve.vision.budget import FrameBudget, FrameLimits
from tests.counting import Counting
from tests.tiny_models import write_brightness_model

GREY = raw_image(np.full((64, 64), 90, np.uint8))
SETTINGS = cast(Settings, None)  # the pipelines below do not look at them


class _Failing(Pipeline):
    """A pipeline that raises one error on every frame."""

    def __init__(self, error: Exception) -> None:
        super().__init__(None, lambda: 0.0)
        self._error = error

    def run(  # type: ignore[override]
        self, *arguments: object
    ) -> FrameResult:
        raise self._error


@pytest.mark.parametrize("error", [OverloadedError("full"), InvalidFrameError("bad"), ZeroDivisionError("ours")])
@pytest.mark.parametrize("faults", [True, False], ids=["stream", "single call"])
def test_only_errors_that_concern_all_frames_end_a_stream(error: Exception, faults: bool) -> None:
    outcomes: list[Outcome] = []
    counting = Counting()
    PendingFrame(Frame(7, GREY), outcomes.append, counting).run(_Failing(error), SETTINGS, None, faults=faults)
    (outcome,) = outcomes
    (counted,) = counting.results
    if isinstance(error, ZeroDivisionError) or not faults:
        assert outcome is error
    else:
        assert outcome is counted
    assert counted.frame_id == 7
    overloaded = isinstance(error, OverloadedError)
    assert counted.dropped is (DropReason.OVERLOADED if overloaded else None)
    assert (counted.fault is None) == overloaded
    if counted.fault:
        kind = "internal" if isinstance(error, ZeroDivisionError) else "invalid_frame"
        assert (counted.fault.code, counted.fault.message) == (kind, str(error))


def test_a_frame_that_its_caller_cancelled_costs_nothing() -> None:
    counting = Counting()
    for finish in (
        lambda pending: pending.run(_Failing(AssertionError("not reached")), SETTINGS, None, faults=False),
        lambda pending: pending.drop(DropReason.SHUTDOWN),
    ):
        pending, future = with_future(Frame(1, GREY), counting)
        assert future.cancel()
        finish(pending)
    assert (counting.results, counting.cancelled) == ([], 2)


def test_a_frame_with_more_faces_than_may_wait_is_answered_all_the_same(tmp_path: Path) -> None:
    model = write_brightness_model(tmp_path / "brightness.onnx")
    boxes = np.array([[0, 0, 30, 30], [30, 30, 60, 60]], np.float32)
    config = EngineConfig(model=str(model), threads=2, max_queue=1, max_batch_size=4)
    with Engine(config) as engine, engine.open_stream(StreamOptions(delivery=Delivery.EVERY)) as stream:
        assert len(stream.submit(Frame(1, GREY, boxes=boxes)).result(10).faces) == 2


class _Cancelling(Pipeline):
    """A pipeline whose frame is cancelled while it is worked on; the next stage would be too much."""

    def __init__(self, cancel: Callable[[], object]) -> None:
        super().__init__(None, lambda: 0.0)
        self._cancel = cancel

    def run(  # type: ignore[override]
        self, frame: Frame, settings: Settings, state: object, arrival_ns: int, abandoned: Callable[[], bool]
    ) -> FrameResult:
        budget = FrameBudget(FrameLimits(10**6), 1, abandoned)
        budget.check("detect")
        self._cancel()
        budget.check("infer")
        raise AssertionError("the frame was worked on to its end")


def test_a_frame_that_is_cancelled_in_the_middle_of_its_work_is_given_up() -> None:
    counting = Counting()
    pending, future = with_future(Frame(7, GREY), counting)
    pending.run(_Cancelling(future.cancel), SETTINGS, None, faults=False)
    assert future.result(timeout=0).dropped is DropReason.SHUTDOWN
    assert (counting.cancelled, counting.results) == (1, [])


def test_the_frame_of_a_stream_that_is_closed_in_the_middle_of_its_work_counts_as_dropped() -> None:
    counting, outcomes, closed = Counting(), list[Outcome](), list[bool]()
    pending = PendingFrame(Frame(7, GREY), outcomes.append, counting, abandoned=lambda: bool(closed))
    pending.run(_Cancelling(lambda: closed.append(True)), SETTINGS, None, faults=True)
    assert [result.dropped for result in counting.results] == [DropReason.SHUTDOWN]
    assert outcomes == counting.results
