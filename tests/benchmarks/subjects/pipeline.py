"""Frame to faces in one thread: with a model that costs nothing, so that its instructions can be counted, and with the
bundled ones; decode alone is the yardstick."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np

from ferserve.config import EngineConfig
from ferserve.engine import Engine
from ferserve.models.spec import HeadSpec, InputSpec, ModelSpec
from ferserve.models.store import ModelFile
from ferserve.options import Delivery, FrameOptions, StreamOptions
from ferserve.pipeline import Pipeline, Settings, square_crops
from ferserve.runtime.base import Tensor, TensorInfo
from ferserve.runtime.classifier import Classifier
from ferserve.runtime.loader import LoadedModel
from ferserve.tracking.state import StateSettings, StreamState
from ferserve.types import Crops, Detections, EncodedImage, Frame, FrameResult, Payload
from ferserve.v1 import emotion_pb2 as pb
from ferserve.vision.budget import FrameLimits
from ferserve.vision.decode import decode
from ferserve.wire.frames import frame_from_proto
from tests import builders
from tests.benchmarks.subjects.subject import Room, Subject, Work
from tests.same_answers import pictures

FRAME_NS = 33_333_333
MAX_PIXELS = 1 << 24
HEAVY = {"one face, emotion-lite", "one face, 1280x720"}
SELDOM = 1000
"""Frames between two detection passes where following is measured."""
FACE = np.array([[280, 180, 364, 268]], np.float32)
SPEC = ModelSpec("still", "1", InputSpec(48, 48), (HeadSpec("emotion", tuple("abcdefgh"), output="probabilities"),))


class StillSession:
    """A graph that answers at once, the same for every face."""

    inputs = (TensorInfo("input", (None, 1, 48, 48), "float32"),)
    outputs = (TensorInfo("probabilities", (None, 8), "float32"),)
    runs_on = "nothing"
    max_rows_per_run = 0

    def run(self, feeds: Mapping[str, Tensor]) -> list[Tensor]:
        """An eighth for every label."""
        return [np.full((len(feeds["input"]), 8), 0.125, np.float32)]

    def run_first(self, feeds: Mapping[str, Tensor], limit_s: float) -> list[Tensor]:
        return self.run(feeds)


class KnowingDetector:
    """Has the face where :func:`builders.scene` puts it."""

    name, runs_on, wants_color = "knowing", "nothing", False

    def detect(self, image: Tensor, *, side_px: int, min_score: float) -> Detections:
        """One face."""
        return Detections(FACE.copy(), np.full(1, 0.9, np.float32))


def scenes() -> list[np.ndarray]:
    """Eight frames of 640x480, there and back, so that they loop without a jump."""
    steps = [builders.scene(i / 30) for i in range(8)]
    return [*steps, *steps[-2:0:-1]]


def without_model(payloads: list[Payload], boxes: np.ndarray | None) -> Work:
    """The stages themselves, called as a worker thread calls them."""
    cv2.setNumThreads(1)
    spec = ModelSpec("still", "1", InputSpec(48, 48), SPEC.heads)
    classifier = Classifier(StillSession(), spec)
    model = LoadedModel(ModelFile(Path("still.onnx"), spec), classifier, classifier.infer, is_default=True)
    settings = Settings(model, FrameOptions(max_faces=16, min_score=0.5), FrameLimits(MAX_PIXELS))
    state = StreamState(StateSettings("still", 400.0, 0.0, SELDOM, SELDOM, strict_minimum=True), square_crops)
    pipeline = Pipeline(KnowingDetector(), lambda: 0.0)
    numbers = itertools.count(1)

    def ours() -> FrameResult:
        i = next(numbers)
        frame = Frame(i, payloads[i % len(payloads)], i * FRAME_NS, boxes)
        return pipeline.run(frame, settings, state, i * FRAME_NS)

    assert [len(ours().faces) for _ in range(14)] == [1] * 14
    return Work(ours, decoding(payloads))


def decoding(payloads: list[Payload]) -> Callable[[], object]:
    """Decode alone, of the same payloads in turn."""
    images = itertools.cycle([image for p in payloads for image in (p.images if isinstance(p, Crops) else (p,))])
    return lambda: decode(next(images), color=False, max_pixels=MAX_PIXELS)


def followed(_: Room) -> Work:
    return without_model([EncodedImage(builders.jpeg(s)) for s in scenes()], None)


def boxed(_: Room) -> Work:
    return without_model([EncodedImage(builders.jpeg(s)) for s in scenes()], FACE)


def boxed_nv12(_: Room) -> Work:
    frames = [frame_from_proto(pb.Frame(raw=pictures.raw(s, "NV12")), 1) for s in scenes()]
    return without_model([frame.payload for frame in frames], FACE)


def crop(_: Room) -> Work:
    faces = [np.ascontiguousarray(s[180:268, 280:364]) for s in scenes()]
    return without_model([Crops((EncodedImage(builders.jpeg(face)),)) for face in faces], None)


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
    return Work(ours, decoding(payloads), runs_on=opened.runs_on)


def group_picture() -> list[np.ndarray]:
    """Four faces that move a little."""
    whole = pictures.tiled(2, 2, 680, 520)
    steps = [np.ascontiguousarray(whole[i : i + 480, 2 * i : 2 * i + 640]) for i in range(8)]
    return [*steps, *steps[-2:0:-1]]


def large_scenes() -> list[np.ndarray]:
    """One face in 1280x720."""
    steps = [builders.scene(i / 30, 1280, 720, 1.2) for i in range(8)]
    return [*steps, *steps[-2:0:-1]]


def _still(name: str, make: Callable[[Room], Work]) -> Subject:
    return Subject("pipeline", f"without a model, {name}", make, "decode alone", counted="Python")


def _engine(name: str, frames: Callable[[], list[np.ndarray]], faces: int, model: str = "auto") -> Subject:
    return Subject(
        "pipeline", name, lambda room: engine(room, frames, faces, model), "decode alone", heavy=name in HEAVY
    )


SUBJECTS = [
    _still("JPEG, face followed", followed),
    _still("JPEG, box given", boxed),
    _still("NV12, box given", boxed_nv12),
    _still("JPEG crop", crop),
    _engine("one face", scenes, 1),
    _engine("one face, emotion-lite", scenes, 1, "emotion-lite"),
    _engine("four faces", group_picture, 4),
    _engine("no face", lambda: [builders.empty_scene()] * 2, 0),
    _engine("one face, 1280x720", large_scenes, 1),
]
