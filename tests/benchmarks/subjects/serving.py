"""Through a real server in a process of its own; a bare gRPC server that answers the same bytes is the yardstick."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

import ferserve
from ferserve.bench.call import Call
from ferserve.bench.messages import METHOD, config_request, crop_bodies, frame_request
from ferserve.bench.poller import Poller
from ferserve.options import Delivery, StreamOptions
from ferserve.types import EncodedImage, Frame
from ferserve.v1 import emotion_pb2 as pb
from tests import builders
from tests.benchmarks.echo_server import echo_process
from tests.benchmarks.exchange import exchange_with
from tests.benchmarks.subjects.subject import Room, Subject, Work

FRAME_NS = 33_333_333


def exchanges(room: Room, address: str, bodies: tuple[bytes, ...]) -> Callable[[], bytes]:
    """A call that sends the next body in one stream and waits for its answer."""
    answers: list[bytes] = []
    poller = room.stack.enter_context(Poller())
    call = Call(address, METHOD)
    poller.add(call, answers.append)
    ids = itertools.count(1)
    exchange = exchange_with(call, poller, answers)
    started = pb.ClassifyStreamResponse.FromString(exchange(config_request(model="", delivery="every")))
    assert started.HasField("started")

    def next_exchange() -> bytes:
        i = next(ids)
        return exchange(*frame_request(i, i * FRAME_NS, bodies[i % len(bodies)]))

    return next_exchange


def stream(room: Room, bodies: tuple[bytes, ...], units: int) -> Work:
    """One message at a time; each must be answered by its faces."""
    ours = exchanges(room, room.server.address, bodies)
    echo = exchanges(room, echo_process(room.stack), bodies)
    faces = [len(pb.ClassifyStreamResponse.FromString(ours()).result.faces.faces) for _ in range(8)]
    assert faces[-1] == units, faces
    echo()
    return Work(ours, echo, units=units, pids=room.server.pids)


def crops(count: int) -> Callable[[Room], Work]:
    face = builders.scene()[180:268, 280:364, 1]
    grey = np.ascontiguousarray(face[:48, :48]).tobytes()
    return lambda room: stream(room, crop_bodies([grey], 48, count), count)


def camera(room: Room) -> Work:
    bodies = tuple(pb.Frame(encoded=builders.jpeg(builders.scene(i / 30))).SerializeToString() for i in range(16))
    return stream(room, bodies + bodies[-2:0:-1], 1)


def unary(room: Room) -> Work:
    """Through the blocking client."""
    client = room.stack.enter_context(ferserve.Client(room.server.address))
    image = EncodedImage(builders.jpeg(builders.scene()))
    ours = lambda: client.classify(image)  # noqa: E731
    assert len(ours().faces) == 1
    return Work(ours, pids=room.server.pids)


def client_stream(room: Room) -> Work:
    """Sixteen frames of a recording through the blocking client, as fast as they go."""
    client = room.stack.enter_context(ferserve.Client(room.server.address))
    images = [EncodedImage(data) for data in builders.jpeg_clip(16)]
    frames = [Frame(i, image, 1 + i * FRAME_NS) for i, image in enumerate(images)]
    ours = lambda: list(client.stream(frames, StreamOptions(delivery=Delivery.EVERY)))  # noqa: E731
    assert [len(result.faces) for result in ours()] == [1] * 16
    return Work(ours, units=16, pids=room.server.pids)


SUBJECTS = [
    Subject("serving", "one crop in a stream", crops(1), "bare gRPC echo"),
    Subject("serving", "16 crops in a stream", crops(16), "bare gRPC echo"),
    Subject("serving", "one camera's JPEG in a stream", camera, "bare gRPC echo"),
    Subject("serving", "unary call of the client", unary),
    Subject("serving", "recording through the client", client_stream, heavy=True),
]
