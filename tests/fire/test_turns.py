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


def _call() -> bytes:
    frame = pb.Frame(encoded=builders.jpeg(builders.scene()))
    return message(pb.ClassifyRequest(frame=frame).SerializeToString())


def many_calls(target: Target) -> None:
    """Single calls, 16 in flight all the time."""
    call = _call()
    with target.connect() as connection:
        for _ in range(IN_FLIGHT):
            connection.send(connection.open(CLASSIFY), call, end=True)
        while target.burning:
            for event in connection.poll(0.05):
                if isinstance(event, h2.events.StreamEnded):
                    connection.send(connection.open(CLASSIFY), call, end=True)


def greedy_streams(side_px: int) -> Attack:
    """Eight streams that claim a high priority, with large pictures and the detector on each of them."""
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
        with target.connect() as connection:
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
    under_fire(many_calls).assert_bars()


@pytest.mark.fire
def test_greedy_streams(under_fire: UnderFire) -> None:
    under_fire(greedy_streams(2048)).assert_bars()


def test_single_calls_quick(beside_camera: BesideCamera) -> None:
    beside_camera(many_calls)


def test_greedy_streams_quick(beside_camera: BesideCamera) -> None:
    beside_camera(greedy_streams(1024))
