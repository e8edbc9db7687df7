"""The same recording gets the same answers, with any number of threads under any load."""

from __future__ import annotations

import dataclasses
import threading
from functools import lru_cache

import pytest

from ferserve.config import EngineConfig
from ferserve.engine import Engine
from ferserve.options import Delivery, StreamOptions
from ferserve.sources.arrays import raw_image
from ferserve.types import Frame, FrameResult, Timings
from tests import builders

EVERY = StreamOptions(delivery=Delivery.EVERY)


@lru_cache
def _recording() -> tuple[Frame, ...]:
    """A face that moves, and is gone now and then."""
    pictures = [builders.scene(i / 10) if i % 12 < 9 else builders.empty_scene() for i in range(36)]
    return tuple(Frame(i, raw_image(picture), 1 + i * 33_000_000) for i, picture in enumerate(pictures))


def _run(engine: Engine) -> list[FrameResult]:
    """All results without their timings."""
    with engine.open_stream(EVERY) as stream:
        return [dataclasses.replace(stream.submit(frame).result(30), timings=Timings()) for frame in _recording()]


@lru_cache
def _alone() -> list[FrameResult]:
    with Engine(EngineConfig(threads=1)) as engine:
        return _run(engine)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("threads", [1, 2, 8])
def test_threads_and_their_load_change_nothing(threads: int) -> None:
    with Engine(EngineConfig(threads=threads)) as engine:
        idle = _run(engine)
        over = threading.Event()

        def keep_busy() -> None:
            while not over.is_set():
                engine.classify(_recording()[0])

        others = [threading.Thread(target=keep_busy) for _ in range(2)]
        for other in others:
            other.start()
        busy = _run(engine)
        over.set()
        for other in others:
            other.join()
    assert idle == _alone()
    assert busy == _alone()
