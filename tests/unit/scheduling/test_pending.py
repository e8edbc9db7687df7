"""What a frame's walk raises, and what its waiting stream or caller hears of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ferserve.config import EngineConfig
from ferserve.engine import Engine
from ferserve.errors import InvalidFrameError, OverloadedError
from ferserve.options import Delivery, StreamOptions
from ferserve.pipeline import Pipeline
from ferserve.scheduling.pending import Answer, Job
from ferserve.sources.images import raw_image
from ferserve.tracking.state import StreamState
from ferserve.types import DropReason, Frame, FrameResult
from tests.tiny_models import write_brightness_model

GREY = raw_image(np.full((64, 64), 90, np.uint8))


@pytest.mark.parametrize("error", [OverloadedError("full"), InvalidFrameError("bad"), ZeroDivisionError("ours")])
@pytest.mark.parametrize("faults", [True, False], ids=["stream", "single call"])
def test_only_what_is_the_matter_with_all_frames_ends_a_stream(error: Exception, faults: bool) -> None:
    def walk(pipeline: Pipeline, frame: Frame, state: StreamState | None, arrival_ns: int) -> FrameResult:
        raise error

    heard: list[Answer] = []
    Job(Frame(7, GREY), heard.append).run(walk, Pipeline(None, lambda: 0.0), None, faults=faults)
    (answer,) = heard
    if not faults or isinstance(error, ZeroDivisionError):
        assert answer is error
    else:
        assert isinstance(answer, FrameResult)
        assert answer.frame_id == 7
        overloaded = isinstance(error, OverloadedError)
        assert answer.dropped is (DropReason.OVERLOADED if overloaded else None)
        assert (answer.fault is None) == overloaded


def test_a_frame_with_more_faces_than_may_wait_is_answered_all_the_same(tmp_path: Path) -> None:
    model = write_brightness_model(tmp_path / "brightness.onnx")
    boxes = np.array([[0, 0, 30, 30], [30, 30, 60, 60]], np.float32)
    config = EngineConfig(model=str(model), threads=2, max_queue=1, max_batch_size=4)
    with Engine(config) as engine, engine.open_stream(StreamOptions(delivery=Delivery.EVERY)) as stream:
        assert len(stream.submit(Frame(1, GREY, boxes=boxes)).result(10).faces) == 2
