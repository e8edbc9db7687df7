"""Bytes that are no protobuf, headers that are no text, pings without end."""

from __future__ import annotations

import struct

import pytest
from hpack import Encoder

from tests.fire.attack import Attack, Target
from tests.fire.measure import UnderFire
from tests.fire.quick import BesideCamera
from tests.fire.rude import CLASSIFY, CLASSIFY_STREAM, connect_socket, message

GARBLED = message(b"\x0a\xff\xff")
LIST_MODELS = "/ferserve.v1.EmotionService/ListModels"
MAX_LOG_KB = 10.0
"""Of a server under attack for a quarter of a minute."""


def garbled_messages(target: Target) -> None:
    """Calls of every kind with bytes that are no message, one after the other."""
    with target.connect() as connection:
        while target.burning:
            for method in (CLASSIFY, CLASSIFY_STREAM, "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"):
                stream = connection.open(method)
                connection.send(stream, GARBLED, end=True)
                assert connection.status(stream) is not None


def metadata_that_is_no_text(target: Target) -> None:
    """Calls with a hundred values each that are not UTF-8, by hand, since no library sends them."""
    names = {":method": "POST", ":scheme": "http", ":path": LIST_MODELS, ":authority": "fire"}
    headers = [*names.items(), ("te", "trailers"), ("content-type", "application/grpc")]
    block = Encoder().encode(headers) + b"\0\x01k\x01\xff" * 100
    while target.burning:
        with connect_socket(target.address) as connection:
            connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(4, 0, 0, b""))
            for number in range(1, 2000, 2):
                connection.sendall(_frame(1, 5, number, block))
                if not target.pause(0.005):
                    return


def _frame(kind: int, flags: int, stream: int, body: bytes) -> bytes:
    return struct.pack(">I", len(body))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + body


def resets_at_once(target: Target) -> None:
    """Calls that are given up as soon as they are opened, a thousand per second (CVE-2023-44487)."""
    while target.burning:
        with target.connect() as connection:
            for _ in range(1000):
                connection.reset(connection.open(CLASSIFY_STREAM))
                if not target.pause(0.001):
                    return


def pings_without_end(target: Target) -> None:
    """Pings a thousand times as often as gRPC's clients send them."""
    while target.burning:
        with target.connect() as connection:
            while target.pause(0.001):
                connection.ping()
                connection.poll()


ATTACKS = [garbled_messages, metadata_that_is_no_text, resets_at_once, pings_without_end]


@pytest.mark.fire
@pytest.mark.parametrize("attack", ATTACKS)
def test_garbage(under_fire: UnderFire, attack: Attack) -> None:
    report = under_fire(attack)
    report.assert_bars()
    assert report.log_kb <= MAX_LOG_KB


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_camera_is_answered_beside_garbage(beside_camera: BesideCamera, attack: Attack) -> None:
    beside_camera(attack)
