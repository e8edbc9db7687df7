"""Clients that want more than their share of the workers."""

from __future__ import annotations

import cv2
import h2.events
import pytest

from ferserve.v1 import emotion_pb2 as pb
from tests import builders
from tests.fire.attack import Attack, Target
from tests.fire.measure import UnderFire
from tests.fire.quick import BesideCamera
from tests.fire.rude import CLASSIFY, CLASSIFY_STREAM, config, message

IN_FLIGHT = 16
FLOOD_CONNECTIONS, CALLS_PER_CONNECTION = 5, 100


def _call() -> bytes:
    frame = pb.Frame(encoded=builders.jpeg(builders.scene()))
    return message(pb.ClassifyRequest(frame=frame).SerializeToString())


def calls_in_flight(connections: int, each: int) -> Attack:
    """Single calls, ``each`` in flight on every connection all the time."""
    call = _call()

    def burn(target: Target) -> None:
        opened = [target.connect() for _ in range(connections)]
        for connection in opened:
            for _ in range(each):
                connection.send(connection.open(CLASSIFY), call, end=True)
        while target.burning:
            for connection in opened:
                for event in connection.poll(0.05 / connections):
                    if isinstance(event, h2.events.StreamEnded) and target.burning:
                        connection.send(connection.open(CLASSIFY), call, end=True)

    return burn


def greedy_streams(side_px: int) -> Attack:
    """Eight streams of another client, with large pictures, the detector on each, and a claim to a high priority."""
    picture = builders.jpeg(cv2.resize(builders.astronaut(), (side_px, side_px)), 60)
    options = pb.ClassifyOptions(detection_side_px=2048)
    opening = message(
        config(
            delivery=pb.DELIVERY_EVERY,
            priority=pb.PRIORITY_HIGH,
            detection_interval=1,
            min_detection_interval=1,
            options=options,
        )
    )

    def burn(target: Target) -> None:
        with target.connect(source="127.0.0.2") as connection:
            streams = [connection.open(CLASSIFY_STREAM) for _ in range(8)]
            for stream in streams:
                connection.send(stream, opening)
            frame_id = 0
            while target.burning:
                frame_id += 1
                frame = pb.ClassifyStreamRequest(frame=pb.Frame(frame_id=frame_id, encoded=picture))
                body = message(frame.SerializeToString())
                for stream in streams:
                    sent = 0
                    while target.burning and sent < len(body):
                        sent += connection.send(stream, body[sent:], limit_s=0.1)

    return burn


@pytest.mark.fire
def test_single_calls(under_fire: UnderFire) -> None:
    under_fire(calls_in_flight(1, IN_FLIGHT)).assert_bars()


@pytest.mark.fire
def test_a_flood_of_single_calls(under_fire: UnderFire) -> None:
    """More than may wait."""
    under_fire(calls_in_flight(FLOOD_CONNECTIONS, CALLS_PER_CONNECTION)).assert_bars()


@pytest.mark.fire
def test_greedy_streams(under_fire: UnderFire) -> None:
    under_fire(greedy_streams(2048)).assert_bars()


def test_single_calls_quick(beside_camera: BesideCamera) -> None:
    beside_camera(calls_in_flight(1, IN_FLIGHT))


def test_a_flood_of_single_calls_quick(beside_camera: BesideCamera) -> None:
    beside_camera(calls_in_flight(FLOOD_CONNECTIONS, CALLS_PER_CONNECTION))


def test_greedy_streams_quick(beside_camera: BesideCamera) -> None:
    beside_camera(greedy_streams(1024))
