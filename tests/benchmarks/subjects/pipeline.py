"""Frame to faces in one thread, with a model that costs nothing and with the bundled ones, beside decode alone."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ferserve.config import EngineConfig
from ferserve.engine import Engine
from ferserve.options import Delivery, StreamOptions
from ferserve.types import EncodedImage, Frame, FrameResult
from tests import builders
from tests.benchmarks.subjects.clips import FRAME_NS, decoding, group_picture, large_scenes, scenes
from tests.benchmarks.subjects.subject import Room, Subject, Work

if TYPE_CHECKING:
    from ferserve.types import Payload

HEAVY = {"one face, emotion-lite", "one face, 1280x720"}


def engine(room: Room, make_frames: Callable[[], list[np.ndarray]], faces: int, model: str = "auto") -> Work:
    """A stream of an engine with one thread, frame after frame."""
    payloads: list[Payload] = [EncodedImage(builders.jpeg(s)) for s in make_frames()]
    opened = room.stack.enter_context(Engine(EngineConfig(model=model, threads=1)))
    stream = opened.open_stream(StreamOptions(delivery=Delivery.EVERY))
    numbers = itertools.count(1)

    def ours() -> FrameResult:
        i = next(numbers)
        return stream.submit(Frame(i, payloads[i % len(payloads)], i * FRAME_NS)).result(60)

    seen = [len(ours().faces) for _ in range(2 * len(payloads))]
    assert seen[-1] == faces, seen
    return Work(ours, decoding(payloads), runs_on=getattr(opened, "runs_on", ""))  # it did not always say so


def _still(name: str, maker: str) -> Subject:
    """Its file is imported when it is made: a package of the past may lack parts of it."""

    def make(room: Room) -> Work:
        work: Work = getattr(importlib.import_module(f"{__package__}.without_model"), maker)(room)
        return work

    return Subject("pipeline", f"without a model, {name}", make, "decode alone", counted="Python")


def _engine(name: str, frames: Callable[[], list[np.ndarray]], faces: int, model: str = "auto") -> Subject:
    return Subject(
        "pipeline", name, lambda room: engine(room, frames, faces, model), "decode alone", heavy=name in HEAVY
    )


SUBJECTS = [
    _still("JPEG, face followed", "followed"),
    _still("JPEG, box given", "boxed"),
    _still("NV12, box given", "boxed_nv12"),
    _still("JPEG crop", "crop"),
    _engine("one face", scenes, 1),
    _engine("one face, emotion-lite", scenes, 1, "emotion-lite"),
    _engine("four faces", group_picture, 4),
    _engine("no face", lambda: [builders.empty_scene()] * 2, 0),
    _engine("one face, 1280x720", large_scenes, 1),
]
