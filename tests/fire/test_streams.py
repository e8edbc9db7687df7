"""Streams that are opened to be left: under invented names, and without a word."""

from __future__ import annotations

import grpc
import pytest

from ferserve.v1 import emotion_pb2 as pb
from ferserve.v1 import emotion_pb2_grpc
from tests import builders
from tests.fire.attack import Attack, Target
from tests.fire.measure import UnderFire
from tests.fire.quick import BesideCamera
from tests.fire.rude import CLASSIFY_STREAM

WATCH = "/grpc.health.v1.Health/Watch"


def invents_streams(target: Target) -> None:
    """Stream after stream under a new name, each with a frame of 64 faces to keep."""
    boxes = pb.Boxes(boxes=[pb.Box(x0=9 * i, y0=10, x1=9 * i + 60, y1=90) for i in range(64)])
    frame = pb.Frame(frame_id=1, encoded=builders.jpeg(builders.scene()), boxes=boxes)
    number = 0
    with grpc.insecure_channel(target.address) as channel:
        stub = emotion_pb2_grpc.EmotionServiceStub(channel)  # type: ignore[no-untyped-call]
        while target.burning:
            number += 1
            config = pb.StreamConfig(stream_id=f"{number}", neutral_first_ms=60_000)
            requests = [pb.ClassifyStreamRequest(config=config), pb.ClassifyStreamRequest(frame=frame)]
            try:
                for _ in stub.ClassifyStream(iter(requests)):
                    pass
            except grpc.RpcError:
                target.pause(0.01)


def opens_without_a_word(target: Target) -> None:
    """Ten connections of a thousand streams each that never send a config."""
    _open_on_ten_connections(target, CLASSIFY_STREAM)


def opens_health_watchers(target: Target) -> None:
    """Ten connections of a thousand watchers each that never say what they watch."""
    _open_on_ten_connections(target, WATCH)


def _open_on_ten_connections(target: Target, method: str) -> None:
    connections = [target.connect() for _ in range(10)]
    for connection in connections:
        connection.poll(0.5)
        for _ in range(1000):
            if target.burning:
                connection.open(method)
        connection.poll(0.01)
    while target.pause(0.2):
        for connection in connections:
            connection.poll(0.001)


ATTACKS = [invents_streams, opens_without_a_word, opens_health_watchers]


@pytest.mark.fire
@pytest.mark.parametrize("attack", ATTACKS)
def test_streams_that_are_left(under_fire: UnderFire, attack: Attack) -> None:
    under_fire(attack).assert_bars()


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_camera_is_answered_beside_streams_that_are_left(beside_camera: BesideCamera, attack: Attack) -> None:
    beside_camera(attack)
