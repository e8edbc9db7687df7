"""Clients that make a server hold bytes: what they send and do not finish, what they ask for and do not take."""

from __future__ import annotations

import zlib

import pytest

from ferserve.v1 import emotion_pb2 as pb
from tests.fire.attack import Attack, Target
from tests.fire.measure import UnderFire
from tests.fire.quick import BesideCamera
from tests.fire.rude import CLASSIFY, CLASSIFY_STREAM, RudeConnection, config, jpeg_frame, message

MIB = 1 << 20
STREAMS = 60


def never_reads(target: Target) -> None:
    """Sixty streams send pictures and allow no byte of an answer."""
    _send_on(target, target.connect(initial_window=0))


def stops_reading(target: Target) -> None:
    """Sixty streams send pictures and leave the answers in the socket."""
    _send_on(target, target.connect(reads=False))


def _send_on(target: Target, connection: RudeConnection) -> None:
    streams = [connection.open(CLASSIFY_STREAM) for _ in range(STREAMS)]
    left = {stream: message(config()) for stream in streams}
    frame_id = 0
    while target.burning:
        frame_id += 1
        for stream in streams:
            body = left[stream] or message(jpeg_frame(frame_id))
            left[stream] = body[connection.send(stream, body, limit_s=0) :]
        connection.poll(0.001)


def holds_back_calls(target: Target) -> None:
    """A hundred calls of 31 MiB each wait with their last byte."""
    _hold_back(target, CLASSIFY, b"", 31 * MIB, 100)


def holds_back_frames(target: Target) -> None:
    """Sixty streams wait with the last byte of a frame of 31 MiB."""
    _hold_back(target, CLASSIFY_STREAM, message(config()), 31 * MIB, STREAMS)


def _hold_back(target: Target, method: str, before: bytes, length: int, calls: int) -> None:
    body = before + message(bytes(length))[:-1]
    connection = target.connect()
    while target.burning:
        opened = [connection.open(method) for _ in range(calls)]
        for stream in opened:
            if target.burning:
                connection.send(stream, body, limit_s=1)
        target.pause(2)
        for stream in opened:
            connection.reset(stream)


def inflates(target: Target) -> None:
    """Messages of some kilobytes that gRPC inflates to 512 MiB, one after the other."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(bytes(MIB)) for _ in range(512)) + packer.flush()
    while target.burning:
        with target.connect() as connection:
            stream = connection.open(CLASSIFY, ("grpc-encoding", "gzip"))
            connection.send(stream, message(bomb, compressed=True), end=True)
            connection.status(stream, 5)


def sends_large_pictures(target: Target) -> None:
    """Whole calls of 31 megapixels, raw, sixteen at a time."""
    raw = pb.RawImage(format=pb.PIXEL_FORMAT_GRAY8, width=8192, height=3968, data=bytes(8192 * 3968))
    body = message(pb.ClassifyRequest(frame=pb.Frame(raw=raw)).SerializeToString())
    connection = target.connect()
    while target.burning:
        streams = [connection.open(CLASSIFY) for _ in range(16)]
        for stream in streams:
            if target.burning:
                connection.send(stream, body, end=True, limit_s=2)
        for stream in streams:
            while target.burning and connection.status(stream, 0.1) is None:
                pass


ATTACKS = [never_reads, stops_reading, holds_back_calls, holds_back_frames, inflates, sends_large_pictures]


@pytest.mark.fire
@pytest.mark.parametrize("attack", ATTACKS)
def test_bytes_in_flight(under_fire: UnderFire, attack: Attack) -> None:
    under_fire(attack).assert_bars()


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_camera_is_answered_beside_bytes_in_flight(beside_camera: BesideCamera, attack: Attack) -> None:
    beside_camera(attack)
