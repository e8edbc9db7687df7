"""What is asked: single calls and streams, as the messages that go over the wire."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from google.protobuf.message import Message

from ferserve.v1 import emotion_pb2 as pb

FRAME_NS = 33_333_333
"""Time between the frames of a made clip."""


@dataclass(frozen=True)
class Call:
    """One unary call; ``method`` is an RPC of ``EmotionService``."""

    name: str
    method: str
    request: Message


@dataclass(frozen=True)
class Stream:
    """One ``ClassifyStream``.

    ``lockstep`` waits for the answer to each message before the next is sent; otherwise all are sent at once, which
    is only deterministic with ``DELIVERY_EVERY``. ``end`` says what the client does after the last message.
    """

    name: str
    messages: tuple[pb.ClassifyStreamRequest, ...]
    lockstep: bool = True
    end: Literal["half-close", "cancel"] = "half-close"


Exchange = Call | Stream


@dataclass(frozen=True)
class Server:
    """A server to ask: options of ``ferserve serve`` beyond those of every server, and what to ask it."""

    name: str
    arguments: tuple[str, ...]
    exchanges: tuple[Exchange, ...] = field(repr=False)


def classify(name: str, options: dict[str, Any] | None = None, **frame: Any) -> Call:
    """A ``Classify`` of the frame with these fields."""
    request = pb.ClassifyRequest(frame=pb.Frame(**frame), options=pb.ClassifyOptions(**options or {}))
    return Call(name, "Classify", request)


def config(**fields: Any) -> pb.ClassifyStreamRequest:
    """The first message of a stream: each frame is classified, and the detector looks at every third one."""
    fixed = {"delivery": pb.DELIVERY_EVERY, "detection_interval": 3, "min_detection_interval": 3}
    return pb.ClassifyStreamRequest(config=pb.StreamConfig(**{**fixed, **fields}))


def frame(frame_id: int, **fields: Any) -> pb.ClassifyStreamRequest:
    """A frame of a stream, taken ``FRAME_NS`` after the one before unless the fields say otherwise."""
    fields = {"capture_time_ns": frame_id * FRAME_NS, **fields}
    return pb.ClassifyStreamRequest(frame=pb.Frame(frame_id=frame_id, **fields))


def clip(pictures: Iterator[bytes] | list[bytes], **fields: Any) -> tuple[pb.ClassifyStreamRequest, ...]:
    """Encoded pictures as frames from 1 on; ``fields`` go into each."""
    return tuple(frame(i, encoded=picture, **fields) for i, picture in enumerate(pictures, 1))
