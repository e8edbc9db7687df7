"""Mutated messages: ``make fuzz-wire``, or ``python -m tests.fuzz.wire --seconds 60 --seed 0``.

Each is read as a server reads it, turned into our types, and checked against the engine's limits. It must become a
frame or options, or raise an error of ours or protobuf's, within 250 ms; what breaks this is written to ``build/fuzz``.
"""

from __future__ import annotations

import random
import time
from typing import Any

from google.protobuf.message import DecodeError

from ferserve.errors import FerserveError
from ferserve.v1 import emotion_pb2 as pb
from ferserve.wire.bounds import bounded
from ferserve.wire.frames import frame_from_proto
from ferserve.wire.options import frame_options_from_proto, stream_options_from_proto
from ferserve.wire.pixels import Pixels
from tests.fuzz import campaign
from tests.fuzz.mutations import mutated

MAX_MS = 250
MAX_FACES = 64
MAX_MESSAGE, LONG = 1000, "a long message"
PIXELS = bytes(range(256)) * 2
LEFT_OUT = Pixels()
READERS = {
    pb.ClassifyRequest: bounded(pb.ClassifyRequest.FromString, LEFT_OUT),
    pb.ClassifyStreamRequest: bounded(pb.ClassifyStreamRequest.FromString, LEFT_OUT),
    pb.GetModelRequest: bounded(pb.GetModelRequest.FromString),
}


def seeds() -> list[tuple[Any, bytes]]:
    """Messages of every kind, with every field set in one of them."""
    raw = pb.RawImage(format=pb.PIXEL_FORMAT_BGR24, width=16, height=10, stride_bytes=48, data=PIXELS[:480])
    options = pb.ClassifyOptions(model="emotion-lite", min_score=0.5, max_faces=3, detection_side_px=640)
    config = pb.StreamConfig(
        options=options,
        delivery=pb.DELIVERY_EVERY,
        smoothing_ms=100,
        detection_interval=4,
        frame_deadline_ms=100,
        stream_id="camera",
        min_detection_interval=2,
        priority=pb.PRIORITY_HIGH,
        neutral_first_ms=1000,
    )
    boxes = pb.Boxes(boxes=[pb.Box(x0=i, y0=i, x1=i + 9, y1=i + 9) for i in range(3)])
    frames = [
        pb.Frame(frame_id=7, capture_time_ns=123, encoded=PIXELS, boxes=boxes, neutral=True),
        pb.Frame(raw=raw, boxes=pb.Boxes()),
        pb.Frame(crops=pb.Crops(images=[pb.Image(encoded=PIXELS), pb.Image(raw=raw)])),
    ]
    messages = [
        *(pb.ClassifyRequest(frame=frame, options=options) for frame in frames),
        *(pb.ClassifyStreamRequest(frame=frame) for frame in frames),
        pb.ClassifyStreamRequest(config=config),
        pb.GetModelRequest(name="emotion-lite"),
    ]
    return [(type(message), message.SerializeToString()) for message in messages]


def one_message(kind: Any, data: bytes) -> str:
    """What came of it; raises AssertionError, and whatever should not have been raised."""
    began = time.thread_time()
    try:
        message = READERS[kind](data)
        if kind is pb.ClassifyRequest:
            frame_options_from_proto(message.options)
            frame_from_proto(message.frame, MAX_FACES, LEFT_OUT)
        elif kind is pb.ClassifyStreamRequest:
            stream_options_from_proto(message.config)
            if message.HasField("frame"):
                frame_from_proto(message.frame, MAX_FACES, LEFT_OUT)
        outcome = "a message"
    except DecodeError:
        outcome = "DecodeError"
    except FerserveError as error:
        outcome = type(error).__name__ if len(str(error)) < MAX_MESSAGE else LONG
    assert outcome != LONG
    spent_ms = (time.thread_time() - began) * 1000
    assert spent_ms <= MAX_MS, f"{kind.__name__}: {spent_ms:.0f} ms"
    return outcome


def main() -> None:
    """Fuzz the reading of messages."""
    messages = seeds()
    others = [data for _, data in messages]

    def draw(rng: random.Random) -> tuple[Any, bytes]:
        kind, data = rng.choice(messages)
        data = mutated(rng, data, others)
        return kind, data * (rng.choice((10, 1000, 20_000)) if rng.random() < 0.05 else 1)

    campaign.run("wire", __doc__, draw, lambda _, drawn: one_message(*drawn), lambda drawn: drawn[1])


if __name__ == "__main__":
    main()
