"""The stages of a frame with a model that costs nothing, so that their instructions can be counted.

Apart from the other pipelines, because it needs parts that a package of the past may not have.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np

from ferserve.models.spec import HeadSpec, InputSpec, ModelSpec
from ferserve.models.store import ModelFile
from ferserve.options import FrameOptions
from ferserve.pipeline import Pipeline, Settings, square_crops
from ferserve.runtime.base import Tensor, TensorInfo
from ferserve.runtime.classifier import Classifier
from ferserve.runtime.loader import LoadedModel
from ferserve.runtime.model_set import ModelSet
from ferserve.tracking.state import StateSettings, StreamState
from ferserve.types import Crops, Detections, EncodedImage, Frame, FrameResult, Payload
from ferserve.v1 import emotion_pb2 as pb
from ferserve.vision.budget import FrameLimits
from ferserve.wire.frames import frame_from_proto
from tests import builders
from tests.benchmarks.subjects.clips import FRAME_NS, MAX_PIXELS, decoding, scenes
from tests.benchmarks.subjects.subject import Room, Work
from tests.same_answers import pictures

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

    def empty(self, shape: tuple[int, ...], dtype: str) -> Tensor:
        """See :class:`ferserve.runtime.base.Session`."""
        return np.empty(shape, dtype)

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


def without_model(payloads: list[Payload], boxes: np.ndarray | None) -> Work:
    """The stages themselves, called as a worker thread calls them."""
    cv2.setNumThreads(1)
    spec = ModelSpec("still", "1", InputSpec(48, 48), SPEC.heads)
    classifier = Classifier(StillSession(), spec)
    model = LoadedModel(ModelFile(Path("still.onnx"), spec), classifier, classifier.infer, 1)
    settings = Settings(
        ModelSet.of(["still"], [model]), FrameOptions(max_faces=16, min_score=0.5), FrameLimits(MAX_PIXELS)
    )
    state = StreamState(StateSettings(("still",), 400.0, 0.0, SELDOM, SELDOM, strict_minimum=True), square_crops)
    pipeline = Pipeline(KnowingDetector(), lambda: 0.0)
    numbers = itertools.count(1)

    def ours() -> FrameResult:
        i = next(numbers)
        frame = Frame(i, payloads[i % len(payloads)], i * FRAME_NS, boxes)
        return pipeline.run(frame, settings, state, i * FRAME_NS)

    assert [len(ours().faces) for _ in range(14)] == [1] * 14
    return Work(ours, decoding(payloads))


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
