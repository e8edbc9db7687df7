"""Every frame that reaches the engine is counted once, under its outcome."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ferserve.config import EngineConfig
from ferserve.engine import Engine
from ferserve.errors import InvalidFrameError, ModelNotFoundError, OverloadedError, StreamProtocolError
from ferserve.options import Delivery, FrameOptions, StreamOptions
from ferserve.sources.arrays import raw_image
from ferserve.types import DropReason, EncodedImage, Frame, FrameResult
from tests.busy import held_workers
from tests.counting import Counting
from tests.tiny_models import write_brightness_model

GREY = raw_image(np.full((64, 64), 90, np.uint8))
RUBBISH = EncodedImage(b"rubbish")
EVERY = StreamOptions(delivery=Delivery.EVERY)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_brightness_model(tmp_path_factory.mktemp("models") / "brightness.onnx")


@contextlib.contextmanager
def _counted(model: Path, max_queue: int = 256) -> Iterator[tuple[Engine, Counting]]:
    counting = Counting()
    with Engine(EngineConfig(model=str(model), threads=2, max_queue=max_queue), counting) as engine:
        yield engine, counting


def _says(result: FrameResult) -> str:
    if result.fault:
        return result.fault.code
    return result.dropped.value if result.dropped else "ok"


def test_answers_and_faults(model: Path) -> None:
    with _counted(model) as (engine, counting):
        engine.classify(Frame(1, GREY))
        with pytest.raises(InvalidFrameError):
            engine.classify(Frame(2, RUBBISH))
        with engine.open_stream(EVERY) as stream:
            told = [stream.submit(Frame(i, RUBBISH if i % 2 else GREY)).result(10) for i in range(4)]
    assert [(r.frame_id, _says(r)) for r in counting.results[:2]] == [(1, "ok"), (2, "invalid_frame")]
    assert counting.results[2:] == told
    assert [_says(r) for r in told] == ["ok", "invalid_frame", "ok", "invalid_frame"]


def test_superseded_frames_and_those_past_their_deadline(model: Path) -> None:
    late = StreamOptions(delivery=Delivery.EVERY, frame_deadline_ms=1)
    with _counted(model) as (engine, counting), engine.open_stream() as latest, engine.open_stream(late) as stream:
        with held_workers(engine):
            before = len(counting.results)
            futures = [latest.submit(Frame(i, GREY)) for i in range(5)]
            futures += [stream.submit(Frame(i, GREY)) for i in range(3)]
            time.sleep(0.01)  # past the deadline
        told = [future.result(10) for future in futures]
        assert Counter(_says(r) for r in counting.results[before:]) == Counter(map(_says, told))
    assert Counter(map(_says, told)) == {"superseded": 4, "ok": 1, "deadline": 3}


def test_overload_in_streams_and_single_calls(model: Path) -> None:
    with _counted(model, max_queue=2) as (engine, counting), engine.open_stream(EVERY) as stream:
        with held_workers(engine):
            before = len(counting.results)
            taken = [stream.submit(Frame(i, GREY)) for i in range(5)]
            for i in range(3):
                with pytest.raises(OverloadedError):
                    engine.submit(Frame(10 + i, GREY))
        told = [future.result(10) for future in taken]
    counted = Counter((r.frame_id, _says(r)) for r in counting.results[before:])
    assert counted == Counter([(r.frame_id, _says(r)) for r in told] + [(10 + i, "overloaded") for i in range(3)])
    assert [_says(r) for r in told] == ["ok"] * 2 + ["overloaded"] * 3


def test_shutdown(model: Path) -> None:
    with _counted(model) as (engine, counting):
        stream = engine.open_stream(EVERY)
        with held_workers(engine):
            before = len(counting.results)
            futures = [stream.submit(Frame(i, GREY)) for i in range(3)]
            stream.close()
            stream.close()
        assert [future.result(10).dropped for future in futures] == [DropReason.SHUTDOWN] * 3
        assert Counter(_says(r) for r in counting.results[before:]) == {"shutdown": 3}


def test_cancelled_frames_are_counted_apart(model: Path) -> None:
    with _counted(model) as (engine, counting):
        with held_workers(engine):
            before = len(counting.results)
            futures = [engine.submit(Frame(i, GREY)) for i in range(4)]
            assert all(future.cancel() for future in futures[1:])
        assert futures[0].result(10).ok
        engine.close()
        assert [(r.frame_id, _says(r)) for r in counting.results[before:]] == [(0, "ok")]
        assert counting.cancelled == 3


def test_frames_that_were_never_taken_are_left_to_the_service(model: Path) -> None:
    with _counted(model) as (engine, counting):
        with engine.open_stream() as stream:
            stream.submit(Frame(5, GREY)).result(10)
            with pytest.raises(StreamProtocolError):
                stream.submit(Frame(5, GREY))
        with pytest.raises(ModelNotFoundError):
            engine.submit(Frame(6, GREY), FrameOptions("nobody"))
        assert [r.frame_id for r in counting.results] == [5]
        assert counting.refused == []


def test_streams_are_counted_once_however_they_end(model: Path) -> None:
    with _counted(model) as (engine, counting):
        named = StreamOptions(stream_id="door")
        engine.open_stream(named)
        engine.open_stream(named)  # takes over the one that is still open
        with engine.open_stream() as stream:
            stream.close()
        assert (counting.opened, counting.closed) == ([False, True, False], 2)
    assert counting.closed == 3
