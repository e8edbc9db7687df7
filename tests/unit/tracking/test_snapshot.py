"""A stream that goes on from a snapshot gives what it would have given."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from ferserve.config import EngineConfig
from ferserve.engine import Engine
from ferserve.errors import InvalidOptionsError
from ferserve.options import Delivery, StreamOptions
from ferserve.pipeline import square_crops
from ferserve.sources.arrays import raw_image
from ferserve.tracking.snapshot import restored, snapshot
from ferserve.types import Frame, FrameResult, Timings
from tests import builders

OPTIONS = StreamOptions(delivery=Delivery.EVERY, neutral_first_ms=300)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine(EngineConfig(max_batch_size=1)) as engine:
        yield engine


@pytest.fixture(scope="module")
def frames() -> Sequence[Frame]:
    """A face that comes, moves, goes, comes back, and is cut away from."""
    pictures = [builders.scene(i / 10) if i % 14 < 10 else builders.empty_scene() for i in range(28)]
    pictures += [builders.scene(2.0, scale=0.5 + i / 30)[::, ::-1] for i in range(8)]
    return [Frame(i + 1, raw_image(picture), 1 + i * 33_000_000) for i, picture in enumerate(pictures)]


def _run(engine: Engine, frames: Sequence[Frame], plain: Any = None) -> tuple[list[FrameResult], list[str]]:
    """The results without their timings, and the state after each."""
    results, states = [], []
    with engine.open_stream(OPTIONS) as stream:
        if plain is not None:
            stream.state = restored(plain, square_crops)
        for frame in frames:
            results.append(dataclasses.replace(stream.submit(frame).result(30), timings=Timings()))
            states.append(json.dumps(snapshot(stream.state)))
    return results, states


def test_goes_on_from_any_frame(engine: Engine, frames: Sequence[Frame]) -> None:
    results, states = _run(engine, frames)
    assert {face.track_id for result in results for face in result.faces} >= {1, 2}
    for seam in (1, 9, 10, 12, 15, 28, 33):
        again, after = _run(engine, frames[seam:], json.loads(states[seam - 1]))
        assert again == results[seam:]
        assert after == states[seam:]


@pytest.mark.parametrize(
    "plain",
    [
        None,
        {},
        [],
        {"class": "Popen", "fields": {}},
        {"class": "Scene", "fields": {}},
        {"class": "StreamState", "fields": {"tracker": {"array": ["object", [1], "AAAA"]}}},
        {"class": "StreamState", "fields": {"tracker": {"array": ["uint8", [9], "AAAA"]}}},
    ],
)
def test_refuses_what_is_no_snapshot(plain: Any) -> None:
    with pytest.raises(InvalidOptionsError, match="snapshot must be one of a stream"):
        restored(plain, square_crops)
