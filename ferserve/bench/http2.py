"""HTTP/2 connections at a tenth of what a full client costs.

A load generator shares the machine with the server that it measures, and grpc.aio's client side costs as much a
message as the server does. This speaks just enough HTTP/2 (RFC 9113) for gRPC's calls: no TLS, no compression, response
headers are not decoded. Never for anything but measuring.
"""

from __future__ import annotations

import socket
import struct
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Final

from ferserve.errors import ConfigError, ServerUnavailableError

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM = 0, 1, 3
_SETTINGS, _PING, _WINDOW_UPDATE = 4, 6, 8
END_STREAM, END_HEADERS = 1, 4
_ACK, _PADDED = 1, 8
_SETTING_INITIAL_WINDOW, _SETTING_MAX_FRAME = 4, 5
_DEFAULT_WINDOW: Final = 65_535
_WIDEST_WINDOW: Final = 2**31 - 1
_READ_BYTES: Final = 1 << 16
_MOST_PIECES: Final = 64
"""To one ``sendmsg``; systems refuse more than 1,024."""


class Connection:
    """One connection over a socket that never blocks, for one method.

    :meth:`receive` reads what has come and gives the whole messages in it. ``wants_write`` says whether to call
    :meth:`flush` when the socket can take more. A subclass says what a stream is.
    """

    def __init__(self, target: str) -> None:
        """Connect to ``HOST:PORT`` or ``unix:PATH``; raises :class:`ServerUnavailableError` if no server answers."""
        self._socket = _connect(target)
        self._socket.setblocking(False)
        self.ended = False
        """True after the server has ended the connection, or what it is for."""
        self.sent_bytes = 0
        self.window = self.initial_window = _DEFAULT_WINDOW
        self.max_frame = 16_384
        self.framed: deque[memoryview] = deque([memoryview(_preface())])
        """What the socket takes next."""
        self._input = bytearray()

    def fileno(self) -> int:
        """For selectors."""
        return self._socket.fileno()

    @property
    def local_port(self) -> int:
        """Our end of a TCP connection."""
        return int(self._socket.getsockname()[1])

    def close(self) -> None:
        """Break the connection off, with all calls on it."""
        self._socket.close()
        self.ended = True

    @property
    def wants_write(self) -> bool:
        """True if the socket, not flow control, holds something back."""
        return bool(self.framed)

    def flush(self) -> None:
        """Hand over to the socket what it and the server's windows take."""
        self.fill()
        try:
            while self.framed and not self.ended:
                pieces = [self.framed[i] for i in range(min(len(self.framed), _MOST_PIECES))]
                self._drop_sent(self._socket.sendmsg(pieces))
        except BlockingIOError:
            return
        except OSError:
            self.ended = True

    def receive(self) -> Iterator[bytes]:
        """Whole messages that have come since the last call."""
        try:
            received = self._socket.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            received = b""
        if not received:
            self.ended = True
            return
        self._input += received
        yield from self._frames()

    def fill(self) -> None:
        """Put frames into :attr:`framed`, as many as the windows allow."""

    def on_data(self, stream: int, payload: bytes) -> Iterator[bytes]:
        """Messages that are whole with this piece of a stream."""
        yield from ()

    def on_end(self, stream: int) -> Iterator[bytes]:
        """The server ended a stream."""
        yield from ()

    def on_window(self, stream: int, more: int) -> None:
        """The window of a stream has grown."""

    def on_initial_window(self, more: int) -> None:
        """The windows of all streams have grown."""

    def _drop_sent(self, sent: int) -> None:
        self.sent_bytes += sent
        while sent:
            first = self.framed[0]
            if sent < len(first):
                self.framed[0] = first[sent:]
                return
            sent -= len(first)
            self.framed.popleft()

    def _frames(self) -> Iterator[bytes]:
        data = self._input
        at = 0
        while len(data) - at >= 9:
            length = int.from_bytes(data[at : at + 3], "big")
            if len(data) - at < 9 + length:
                break
            kind, flags = data[at + 3], data[at + 4]
            stream = int.from_bytes(data[at + 5 : at + 9], "big")
            payload = bytes(data[at + 9 : at + 9 + length])
            at += 9 + length
            if kind == DATA:
                yield from self.on_data(stream, payload[1 : length - payload[0]] if flags & _PADDED else payload)
            elif kind == _WINDOW_UPDATE:
                self._on_window(stream, int.from_bytes(payload, "big"))
            elif kind == _SETTINGS and not flags & _ACK:
                self._on_settings(payload)
                self._reply(frame(_SETTINGS, _ACK, 0, b""))
            elif kind == _PING and not flags & _ACK:
                self._reply(frame(_PING, _ACK, 0, payload))
            if kind == RST_STREAM or (kind in (DATA, HEADERS) and flags & END_STREAM):
                yield from self.on_end(stream)
        del data[:at]

    def _on_window(self, stream: int, more: int) -> None:
        if stream:
            self.on_window(stream, more)
        else:
            self.window += more
        self.flush()

    def _on_settings(self, payload: bytes) -> None:
        for name, value in struct.iter_unpack(">HI", payload):
            if name == _SETTING_INITIAL_WINDOW:
                self.on_initial_window(value - self.initial_window)
                self.initial_window = value
            elif name == _SETTING_MAX_FRAME:
                self.max_frame = value

    def _reply(self, reply: bytes) -> None:
        self.framed.append(memoryview(reply))
        self.flush()


def _connect(target: str) -> socket.socket:
    try:
        if target.startswith("unix:"):
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(target.removeprefix("unix:").removeprefix("//"))
            return connection
        host, _, port = target.rpartition(":")
        if not port.isdecimal():
            raise ConfigError(f"--target must be HOST:PORT or unix:PATH, got {target!r}")
        connection = socket.create_connection((host.strip("[]"), int(port)), timeout=10)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection
    except (OSError, UnicodeError) as error:  # the latter for what can be no host's name
        raise ServerUnavailableError(f"target must be a running server, got {target}: {error}") from None


def _preface() -> bytes:
    """Preface, and settings with which answers need no window updates."""
    settings = struct.pack(">HI", _SETTING_INITIAL_WINDOW, _WIDEST_WINDOW)
    wide = struct.pack(">I", _WIDEST_WINDOW - _DEFAULT_WINDOW)
    return _PREFACE + frame(_SETTINGS, 0, 0, settings) + frame(_WINDOW_UPDATE, 0, 0, wide)


def request_headers(target: str, method: str, metadata: Mapping[str, str] | None = None) -> dict[str, str]:
    """The headers of a call of ``method``, such as ``/package.Service/Method`` (gRPC over HTTP/2)."""
    return {
        ":method": "POST",
        ":scheme": "http",
        ":path": method,
        ":authority": "localhost" if target.startswith("unix:") else target,
        "te": "trailers",
        "content-type": "application/grpc",
        "user-agent": "ferserve-bench",
        **(metadata or {}),
    }


def header_block(headers: Mapping[str, str], *, indexed: bool = False) -> bytes:
    """Literals without Huffman coding (RFC 7541, 6.2), so that no table has to be kept.

    ``indexed`` lets the server remember them: later the n-th of them from the end is the byte ``0x80 + 61 + n``.
    """
    form = b"\x40" if indexed else b"\0"
    return b"".join(form + _text(name) + _text(value) for name, value in headers.items())


def _text(value: str) -> bytes:
    data = value.encode()
    assert len(data) < 127, "longer strings need a multi-byte length (RFC 7541, 5.1)"
    return bytes((len(data),)) + data


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """A whole frame."""
    return frame_head(len(payload), kind, flags, stream) + payload


def frame_head(length: int, kind: int, flags: int, stream: int) -> bytes:
    """What stands before the payload of a frame."""
    return length.to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big")
