"""Requests over kept connections, a fixed number of them under way at once."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import re
import selectors
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_LENGTH = re.compile(rb"content-length: *(\d+)", re.I)
_LAST_CHUNK = b"0\r\n\r\n"


@dataclass(frozen=True)
class Request:
    """How a crop is asked for."""

    path: str
    form: str
    """``bytes``, ``base64`` (in JSON) or ``tensor`` (JSON of the Open Inference Protocol)."""

    def encode(self, crop: bytes) -> bytes:
        """Head and body."""
        body, kind = self._body(crop)
        head = f"POST {self.path} HTTP/1.1\r\nHost: peer\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode() + body

    def _body(self, crop: bytes) -> tuple[bytes, str]:
        if self.form == "bytes":
            return crop, "application/octet-stream"
        if self.form == "base64":
            return json.dumps({"image": base64.b64encode(crop).decode()}).encode(), "application/json"
        tensor = {"name": "crops", "shape": [1, len(crop)], "datatype": "UINT8", "data": list(crop)}
        return json.dumps({"inputs": [tensor]}).encode(), "application/json"


class HttpError(Exception):
    """An answer other than 200, or none."""


class _Connection:
    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""

    def send(self, request: bytes) -> None:
        self._received = b""
        self.sent_s = time.perf_counter()
        self.socket.sendall(request)

    def answer(self) -> bytes | None:
        """The body, once all of it is here."""
        data = self.socket.recv(1 << 16)
        if not data:
            raise HttpError("the server closed the connection")
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not end or (len(body) < int(length[1]) if length else not body.endswith(_LAST_CHUNK)):
            return None
        if b" 200 " not in head[:16]:
            raise HttpError((head.splitlines()[0] + b": " + body[:200]).decode("utf-8", "replace"))
        return body if length else _joined(body)


def _joined(chunks: bytes) -> bytes:
    """The body of an answer in chunks (RFC 9112, section 7.1)."""
    body = b""
    while chunks != _LAST_CHUNK:
        size, _, rest = chunks.partition(b"\r\n")
        body, chunks = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return body


def ask(port: int, request: bytes) -> Any:
    """One answer, as JSON."""
    connection = _Connection(port)
    with connection.socket:
        connection.send(request)
        while (body := connection.answer()) is None:
            pass
        return json.loads(body)


def load(port: int, requests: Sequence[bytes], outstanding: int, seconds: float) -> tuple[int, list[float]]:
    """Answers within ``seconds``, and the latency of each in s; raises :class:`HttpError` or :class:`OSError`."""
    latencies: list[float] = []
    with contextlib.ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        for number in range(outstanding):
            connection = _Connection(port)
            stack.enter_context(connection.socket)
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            connection.send(requests[number % len(requests)])
        upcoming = itertools.islice(itertools.cycle(requests), outstanding % len(requests), None)
        ends = time.perf_counter() + seconds
        while time.perf_counter() < ends:
            for key, _ in selector.select(1.0):
                connection = key.data
                if connection.answer() is not None:
                    latencies.append(time.perf_counter() - connection.sent_s)
                    connection.send(next(upcoming))
    return len(latencies), latencies
