"""A stream's queue: order, ids, what overtakes what, and how it ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from ferserve.config import EngineConfig
from ferserve.engine import Engine
from ferserve.errors import ModelNotReadyError, StreamProtocolError
from ferserve.options import Delivery, StreamOptions
from ferserve.scheduling.pending import Outcome
from ferserve.sources.arrays import raw_image
from ferserve.types import DropReason, Frame, FrameResult
from tests.busy import held_workers
from tests.tiny_models import write_brightness_model

GREY = raw_image(np.full((64, 64), 90, np.uint8))
EVERY = StreamOptions(delivery=Delivery.EVERY)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    model = write_brightness_model(tmp_path_factory.mktemp("models") / "brightness.onnx")
    with Engine(EngineConfig(model=str(model), threads=2, detector="none")) as engine:
        yield engine


def _frame(frame_id: int) -> Frame:
    return Frame(frame_id, GREY, boxes=np.zeros((0, 4), np.float32))


def test_outcomes_come_in_the_order_of_the_frames_though_several_threads_work(engine: Engine) -> None:
    told: list[int] = []
    done = threading.Event()

    def note(outcome: Outcome) -> None:
        assert isinstance(outcome, FrameResult)
        told.append(outcome.frame_id)
        if outcome.frame_id == 499:
            done.set()

    with engine.open_stream(EVERY) as stream:
        for i in range(500):
            stream.send(_frame(i), note)
            if i % 100 == 99:  # a backlog holds 256
                while len(told) < i - 50:
                    done.wait(0.001)
        assert done.wait(20)
    assert told == list(range(500))


def test_a_frame_that_its_service_answered_counts_in_the_order(engine: Engine) -> None:
    with engine.open_stream(EVERY) as stream:
        stream.pass_over(3)
        with pytest.raises(StreamProtocolError, match="got 3 after 3"):
            stream.submit(_frame(3))
        assert stream.submit(_frame(4)).result(10).ok
        with pytest.raises(StreamProtocolError, match="got 2 after 4"):
            stream.pass_over(2)
        assert stream.last_frame_id == 4


def test_every_frame_waits_its_turn_and_only_the_latest_overtakes(engine: Engine) -> None:
    with engine.open_stream(EVERY) as every, engine.open_stream() as latest:
        with held_workers(engine):
            patient = [every.submit(_frame(i)) for i in range(4)]
            hasty = [latest.submit(_frame(i)) for i in range(4)]
            assert [f.done() for f in hasty] == [True, True, True, False]
        assert [f.result(10).dropped for f in patient] == [None] * 4
        assert [f.result(10).dropped for f in hasty] == [DropReason.SUPERSEDED] * 3 + [None]


def test_closing_twice_is_closing_once_and_nothing_more_is_taken(engine: Engine) -> None:
    stream = engine.open_stream(EVERY)
    with held_workers(engine):
        waiting = [stream.submit(_frame(i)) for i in range(2)]
        stream.close()
        stream.close()
        assert [f.result(10).dropped for f in waiting] == [DropReason.SHUTDOWN] * 2
    for refused in (lambda: stream.submit(_frame(9)), lambda: stream.pass_over(9)):
        with pytest.raises(ModelNotReadyError, match="stream must be open"):
            refused()


def test_a_stream_says_its_effective_options_and_model(engine: Engine) -> None:
    with engine.open_stream(StreamOptions(detection_interval=1)) as stream:
        assert (stream.options.min_detection_interval, stream.options.detection_interval) == (1, 1)
        assert stream.options.frame.model == stream.models[0].name == "brightness"
        assert stream.options.delivery is Delivery.LATEST
        assert not stream.resumed


def test_the_last_frame_of_a_resumed_stream_is_the_last_that_was_taken_up(engine: Engine) -> None:
    named = StreamOptions(delivery=Delivery.EVERY, stream_id="gate")
    with engine.open_stream(named) as first:
        first.submit(_frame(7)).result(10)
        with held_workers(engine):
            waiting = first.submit(_frame(8))
            first.close()
        assert waiting.result(10).dropped is DropReason.SHUTDOWN
    with engine.open_stream(named) as second:
        assert (second.resumed, second.last_frame_id) == (True, 7)
        assert second.submit(_frame(8)).result(10).ok
