"""Files and messages that cost more than they weigh."""

from __future__ import annotations

import itertools

import h2.events
import pytest

from ferserve.v1 import emotion_pb2 as pb
from tests.bombs import black, chunk, frame, jpeg, png, progressive, repeated_scans, scan, zeros
from tests.fire.attack import Attack, Target
from tests.fire.measure import UnderFire
from tests.fire.quick import BesideCamera
from tests.fire.rude import CLASSIFY, message

IN_FLIGHT = 4


def _calls(*files: bytes) -> list[bytes]:
    return [message(pb.ClassifyRequest(frame=pb.Frame(encoded=data)).SerializeToString()) for data in files]


def _field(number: int, body: bytes) -> bytes:
    length, head = len(body), b""
    while length > 127:
        head, length = head + bytes((length & 127 | 128,)), length >> 7
    return bytes((number << 3 | 2,)) + head + bytes((length,)) + body


def dear_files() -> list[bytes]:
    """The dearest that are accepted: 30 to 180 ms each."""
    return _calls(
        *quickly_made(),
        black("PNG", 2700, 2700, "RGBA"),
        black("GIF", 2400, 2400, "P"),
        black("TIFF", 2400, 2400, compression="tiff_adobe_deflate", tiffinfo={278: 2400}),
        png(8, 8, chunk(b"IDAT", zeros(60_000_000))),
    )


def quickly_made() -> tuple[bytes, ...]:
    """Those that take no time to make."""
    return repeated_scans(1100, 90), repeated_scans(2100, 1), progressive(1100, 99)


def refused_files() -> list[bytes]:
    """Files that would cost seconds or gigabytes."""
    return _calls(
        repeated_scans(7000, 90),
        repeated_scans(8, 6000),
        progressive(7000, 6000),
        png(7000, 7000, chunk(b"IDAT", b"")),
        png(8, 8, chunk(b"zTXt", b"a\0\0" + zeros(4_000_000)) * 12),
        jpeg(b"\xff\x01", frame(0xC0, 40_000, 40_000), scan(1), bytes(60_000), frame(0xC0, 8, 8)),
    )


def messages_of_many_parts() -> list[bytes]:
    """Millions of boxes, crops or letters."""
    return [
        message(_field(1, _field(6, b"\x0a\0" * 16_000_000))),
        message(_field(1, _field(5, b"\x0a\0" * 1_000_000))),
        message(_field(1, b"\x1a\1x") + _field(2, _field(1, b"a" * 32_000_000))),
    ]


def sends(calls: list[bytes]) -> Attack:
    """Single calls, four in flight, each of the ``calls`` in its turn."""

    def burn(target: Target) -> None:
        connection, turn = target.connect(source="127.0.0.2"), itertools.cycle(calls)
        for _ in range(IN_FLIGHT):
            connection.send(connection.open(CLASSIFY), next(turn), end=True)
        while target.burning:
            for event in connection.poll(0.05):
                if isinstance(event, h2.events.StreamEnded) and target.burning:
                    connection.send(connection.open(CLASSIFY), next(turn), end=True)

    return burn


@pytest.mark.fire
def test_dear_files(under_fire: UnderFire) -> None:
    under_fire(sends(dear_files())).assert_bars()


@pytest.mark.fire
def test_refused_files(under_fire: UnderFire) -> None:
    under_fire(sends(refused_files())).assert_bars()


@pytest.mark.fire
def test_messages_of_many_parts(under_fire: UnderFire) -> None:
    under_fire(sends(messages_of_many_parts())).assert_bars()


def test_a_camera_is_answered_beside_files_that_cost_much(beside_camera: BesideCamera) -> None:
    beside_camera(sends([*_calls(*quickly_made()), *refused_files()]), frames=20)
