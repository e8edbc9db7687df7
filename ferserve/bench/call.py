"""One bidirectional gRPC call on a connection of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Final

from ferserve.bench.http2 import (
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    Connection,
    frame,
    frame_head,
    header_block,
    request_headers,
)

_STREAM_ID: Final = 1


class Call(Connection):
    """A call that ends with its connection. :meth:`send` queues a message and pushes out what the socket takes."""

    def __init__(self, target: str, method: str, metadata: Mapping[str, str] | None = None) -> None:
        """Connect to ``HOST:PORT`` or ``unix:PATH`` and open ``method``, such as ``/package.Service/Method``.

        Raises :class:`ServerUnavailableError` if no server answers.
        """
        super().__init__(target)
        self._stream_window = self.initial_window
        self._unframed: deque[memoryview] = deque()
        self._message = bytearray()
        block = header_block(request_headers(target, method, metadata))
        self.framed.append(memoryview(frame(HEADERS, END_HEADERS, _STREAM_ID, block)))
        self.flush()

    @property
    def backlogged(self) -> bool:
        """True if something is held back, by the socket or by flow control."""
        return bool(self.framed or self._unframed)

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
        self.framed.append(memoryview(frame(DATA, END_STREAM, _STREAM_ID, b"")))
        self.flush()

    def fill(self) -> None:
        """See :meth:`Connection.fill`."""
        while self._unframed and (room := min(self.window, self._stream_window)) > 0:
            piece = self._unframed.popleft()
            limit = min(room, self.max_frame)
            if len(piece) > limit:
                self._unframed.appendleft(piece[limit:])
                piece = piece[:limit]
            self.window -= len(piece)
            self._stream_window -= len(piece)
            self.framed.append(memoryview(frame_head(len(piece), DATA, 0, _STREAM_ID)))
            self.framed.append(piece)

    def on_data(self, stream: int, payload: bytes) -> Iterator[bytes]:
        """See :meth:`Connection.on_data`."""
        message = self._message
        message += payload
        while len(message) >= 5:
            end = 5 + int.from_bytes(message[1:5], "big")
            if len(message) < end:
                return
            body = bytes(message[5:end])
            del message[:end]
            yield body

    def on_end(self, stream: int) -> Iterator[bytes]:
        """See :meth:`Connection.on_end`."""
        self.ended = True
        yield from ()

    def on_window(self, stream: int, more: int) -> None:
        """See :meth:`Connection.on_window`."""
        self._stream_window += more

    def on_initial_window(self, more: int) -> None:
        """See :meth:`Connection.on_initial_window`."""
        self._stream_window += more
