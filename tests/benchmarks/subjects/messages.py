"""Messages of the API: bytes to a frame, and a result to bytes; protobuf alone is the yardstick."""

from __future__ import annotations

import numpy as np

from ferserve.types import Face, FrameResult, HeadResult, Timings
from ferserve.v1 import emotion_pb2 as pb
from ferserve.wire.frames import frame_from_proto
from ferserve.wire.results import result_to_proto
from tests import builders
from tests.benchmarks.subjects.subject import Room, Subject, Work

HEADS = {"emotion": 8, "emotion_fer2013": 7, "clarity": 2}


def message_to_frame(_: Room) -> Work:
    boxes = pb.Boxes(boxes=[pb.Box(x0=280, y0=180, x1=364, y1=268)])
    small = builders.jpeg(builders.scene()[180:268, 280:364])  # or the copy of its bytes would hide the rest
    frame = pb.Frame(frame_id=7, capture_time_ns=1, encoded=small, boxes=boxes)
    data = frame.SerializeToString()
    ours = lambda: frame_from_proto(pb.Frame.FromString(data), 16)  # noqa: E731
    np.testing.assert_array_equal(ours().boxes, [[280, 180, 364, 268]])
    return Work(ours, lambda: pb.Frame.FromString(data))


def crops_to_frame(_: Room) -> Work:
    images = [pb.Image(raw=pb.RawImage(format=pb.PIXEL_FORMAT_GRAY8, width=48, height=48, data=bytes(48 * 48)))] * 16
    data = pb.Frame(frame_id=7, crops=pb.Crops(images=images)).SerializeToString()
    ours = lambda: frame_from_proto(pb.Frame.FromString(data), 16)  # noqa: E731
    assert len(ours().payload.images) == 16  # type: ignore[union-attr]
    return Work(ours, lambda: pb.Frame.FromString(data), units=16)


def result_of(faces: int) -> FrameResult:
    """The result of a frame with so many faces, three heads each."""
    rng = np.random.default_rng(0)
    heads = tuple(
        HeadResult.of(
            name, tuple(f"label {i}" for i in range(count)), rng.dirichlet(np.ones(count)).astype("f4"), frozenset()
        )
        for name, count in HEADS.items()
    )
    marks = rng.uniform(0, 480, (5, 2)).astype(np.float32)
    found = tuple(Face((10.0 * i, 20.0, 90.0, 99.0), 0.9, heads, marks, i + 1) for i in range(faces))
    timings = Timings(queue_ms=0.1, decode_ms=0.7, detect_ms=0.4, preprocess_ms=0.01, infer_ms=0.2, total_ms=1.4)
    return FrameResult(7, 1, faces=found, timings=timings, model_name="m", model_version="2", width=640, height=480)


def result_to_message(faces: int) -> Work:
    result = result_of(faces)
    message = result_to_proto(result)
    assert [len(face.heads) for face in message.faces.faces] == [3] * faces
    return Work(lambda: result_to_proto(result).SerializeToString(), message.SerializeToString)


SUBJECTS = [
    Subject("messages", "message to frame", message_to_frame, "protobuf alone", counted="Python"),
    Subject("messages", "message to 16 crops", crops_to_frame, "protobuf alone", counted="Python"),
    Subject(
        "messages", "result to message, one face", lambda _: result_to_message(1), "protobuf alone", None, "Python"
    ),
    Subject(
        "messages", "result to message, four faces", lambda _: result_to_message(4), "protobuf alone", None, "Python"
    ),
]
