"""One gRPC call on a connection of its own, at a tenth of what a full client costs.

A load generator shares the machine with the server that it measures, and grpc.aio's client side costs as much a
message as the server does. This speaks just enough HTTP/2 (RFC 9113) and gRPC over it for one bidirectional call: no
TLS, no compression, response headers are not decoded. Never for anything but measuring.
"""

from __future__ import annotations

import socket
import struct
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Final

from ferserve.errors import ConfigError, ServerUnavailableError

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _WINDOW_UPDATE = 0, 1, 3, 4, 6, 8
_END_STREAM, _ACK, _END_HEADERS, _PADDED = 1, 1, 4, 8
_SETTING_INITIAL_WINDOW, _SETTING_MAX_FRAME = 4, 5
_DEFAULT_WINDOW: Final = 65_535
_WIDEST_WINDOW: Final = 2**31 - 1
_STREAM_ID: Final = 1
_READ_BYTES: Final = 1 << 16
_MOST_PIECES: Final = 64
"""To one ``sendmsg``; systems refuse more than 1,024."""


class Call:
    """A bidirectional gRPC call over a socket that never blocks.

    :meth:`send` queues a message and pushes out what the socket and flow control take; :meth:`receive` reads what has
    come and gives the whole messages in it. ``wants_write`` says whether to call :meth:`flush` when the socket can
    take more.
    """

    def __init__(self, target: str, method: str, metadata: Mapping[str, str] | None = None) -> None:
        """Connect to ``HOST:PORT`` or ``unix:PATH`` and open ``method``, such as ``/package.Service/Method``.

        Raises :class:`ServerUnavailableError` if no server answers.
        """
        self._socket = _connect(target)
        self._socket.setblocking(False)
        self.ended = False
        """True after the server has ended the call or the connection."""
        self.sent_bytes = 0
        self._window = _DEFAULT_WINDOW
        self._stream_window = self._initial_window = _DEFAULT_WINDOW
        self._max_frame = 16_384
        self._unframed: deque[memoryview] = deque()
        self._framed: deque[memoryview] = deque()
        self._input = bytearray()
        self._message = bytearray()
        self._framed.append(memoryview(_opening(target, method, metadata or {})))
        self.flush()

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
        return bool(self._framed)

    @property
    def backlogged(self) -> bool:
        """True if something is held back, by the socket or by flow control."""
        return bool(self._framed or self._unframed)

    def send(self, *pieces: bytes) -> None:
        """Queue the message made of ``pieces`` and push out what may leave."""
        self.queue(*pieces)
        self.flush()

    def queue(self, *pieces: bytes) -> None:
        """Queue the message made of ``pieces`` for the next :meth:`flush`, which sends all that waits in one piece."""
        length = sum(map(len, pieces))
        self._unframed.append(memoryview(b"\0" + length.to_bytes(4, "big") + pieces[0]))
        self._unframed.extend(map(memoryview, pieces[1:]))

    def half_close(self) -> None:
        """Say that no message will follow; everything sent before must have left."""
        self._framed.append(memoryview(_frame(_DATA, _END_STREAM, _STREAM_ID, b"")))
        self.flush()

    def flush(self) -> None:
        """Hand over to the socket what it and the server's windows take."""
        self._frame_messages()
        try:
            while self._framed and not self.ended:
                pieces = [self._framed[i] for i in range(min(len(self._framed), _MOST_PIECES))]
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

    def _drop_sent(self, sent: int) -> None:
        self.sent_bytes += sent
        while sent:
            first = self._framed[0]
            if sent < len(first):
                self._framed[0] = first[sent:]
                return
            sent -= len(first)
            self._framed.popleft()

    def _frame_messages(self) -> None:
        while self._unframed and (room := min(self._window, self._stream_window)) > 0:
            piece = self._unframed.popleft()
            limit = min(room, self._max_frame)
            if len(piece) > limit:
                self._unframed.appendleft(piece[limit:])
                piece = piece[:limit]
            self._window -= len(piece)
            self._stream_window -= len(piece)
            self._framed.append(memoryview(_frame_head(len(piece), _DATA, 0, _STREAM_ID)))
            self._framed.append(piece)

    def _frames(self) -> Iterator[bytes]:
        data = self._input
        at = 0
        while len(data) - at >= 9:
            length = int.from_bytes(data[at : at + 3], "big")
            if len(data) - at < 9 + length:
                break
            kind, flags = data[at + 3], data[at + 4]
            on_call = data[at + 8] == _STREAM_ID
            payload = bytes(data[at + 9 : at + 9 + length])
            at += 9 + length
            if kind == _DATA:
                self._message += payload[1 : length - payload[0]] if flags & _PADDED else payload
                yield from self._messages()
            elif kind == _WINDOW_UPDATE:
                self._on_window(int.from_bytes(payload, "big"), on_call)
            elif kind == _SETTINGS and not flags & _ACK:
                self._on_settings(payload)
                self._reply(_frame(_SETTINGS, _ACK, 0, b""))
            elif kind == _PING and not flags & _ACK:
                self._reply(_frame(_PING, _ACK, 0, payload))
            if kind == _RST_STREAM or (kind in (_DATA, _HEADERS) and flags & _END_STREAM):
                self.ended = True
        del data[:at]

    def _messages(self) -> Iterator[bytes]:
        message = self._message
        while len(message) >= 5:
            end = 5 + int.from_bytes(message[1:5], "big")
            if len(message) < end:
                return
            body = bytes(message[5:end])
            del message[:end]
            yield body

    def _on_window(self, more: int, on_call: bool) -> None:
        if on_call:
            self._stream_window += more
        else:
            self._window += more
        if self._unframed:
            self.flush()

    def _on_settings(self, payload: bytes) -> None:
        for name, value in struct.iter_unpack(">HI", payload):
            if name == _SETTING_INITIAL_WINDOW:
                self._stream_window += value - self._initial_window
                self._initial_window = value
            elif name == _SETTING_MAX_FRAME:
                self._max_frame = value

    def _reply(self, frame: bytes) -> None:
        self._framed.append(memoryview(frame))
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


def _opening(target: str, method: str, metadata: Mapping[str, str]) -> bytes:
    """Preface, settings (answers need no window updates), and the headers of the call (gRPC over HTTP/2)."""
    settings = struct.pack(">HI", _SETTING_INITIAL_WINDOW, _WIDEST_WINDOW)
    wide = struct.pack(">I", _WIDEST_WINDOW - _DEFAULT_WINDOW)
    authority = "localhost" if target.startswith("unix:") else target
    headers = {
        ":method": "POST",
        ":scheme": "http",
        ":path": method,
        ":authority": authority,
        "te": "trailers",
        "content-type": "application/grpc",
        "user-agent": "ferserve-bench",
        **metadata,
    }
    # RFC 7541, 6.2.2: literals without indexing and without Huffman, so that no table has to be kept.
    block = b"".join(b"\0" + _text(name) + _text(value) for name, value in headers.items())
    return (
        _PREFACE
        + _frame(_SETTINGS, 0, 0, settings)
        + _frame(_WINDOW_UPDATE, 0, 0, wide)
        + _frame(_HEADERS, _END_HEADERS, _STREAM_ID, block)
    )


def _text(value: str) -> bytes:
    data = value.encode()
    assert len(data) < 127, "longer strings need a multi-byte length (RFC 7541, 5.1)"
    return bytes((len(data),)) + data


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return _frame_head(len(payload), kind, flags, stream) + payload


def _frame_head(length: int, kind: int, flags: int, stream: int) -> bytes:
    return length.to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big")
