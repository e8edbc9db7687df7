"""Connections by the hundred: silent, half greeted, with headers a byte at a time."""

from __future__ import annotations

import contextlib
import socket

import pytest

from tests.fire.attack import Attack, Target
from tests.fire.measure import UnderFire
from tests.fire.quick import BesideCamera
from tests.fire.rude import connect_socket

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
NO_SETTINGS = b"\0\0\0\4\0\0\0\0\0"
LONG_HEADERS = b"\0\x40\0\1\0\0\0\0\1"
CONNECTIONS = 2000


def says_nothing(target: Target) -> None:
    """Two thousand connections that send no byte."""
    _connect(target, b"", b"")


def greets_by_half(target: Target) -> None:
    """Two thousand connections that stop in the middle of the greeting."""
    _connect(target, PREFACE[:16], b"")


def greets_and_rests(target: Target) -> None:
    """Two thousand connections of HTTP/2 without a call."""
    _connect(target, PREFACE + NO_SETTINGS, b"")


def trickles_headers(target: Target) -> None:
    """Two thousand connections that send the headers of a call a byte at a time."""
    _connect(target, PREFACE + NO_SETTINGS + LONG_HEADERS, b"\0")


def _connect(target: Target, greeting: bytes, drop: bytes) -> None:
    """Open connections until the system or the server refuses, send ``greeting``, then ``drop`` again and again."""
    with contextlib.ExitStack() as stack:
        opened: list[socket.socket] = []
        while target.burning and len(opened) < CONNECTIONS:
            try:
                connection = stack.enter_context(connect_socket(target.address, 1))
            except OSError:
                target.pause(0.1)
                continue
            opened.append(connection)
            _send(connection, greeting)
        while target.pause(1):
            for connection in opened:
                _send(connection, drop)


def _send(connection: socket.socket, data: bytes) -> None:
    with contextlib.suppress(OSError):
        connection.sendall(data)


ATTACKS = [says_nothing, greets_by_half, greets_and_rests, trickles_headers]


@pytest.mark.fire
@pytest.mark.parametrize("attack", ATTACKS)
def test_many_connections(under_fire: UnderFire, attack: Attack) -> None:
    under_fire(attack).assert_bars()


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_camera_is_answered_beside_many_connections(beside_camera: BesideCamera, attack: Attack) -> None:
    beside_camera(attack)
