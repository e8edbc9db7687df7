"""Many unary gRPC calls of one method on one connection."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

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

FAILED = b""
"""Stands for the answer to a call that failed; a message of an answer is never empty."""
_FIRST_DYNAMIC = 62
"""Of the entries of a server's table of headers (RFC 7541, 2.3.3)."""


class _Stream:
    """A call whose message has not left whole."""

    def __init__(self, number: int, window: int, pieces: list[memoryview]) -> None:
        self.number, self.window = number, window
        self.left = deque(pieces)


class UnaryCalls(Connection):
    """Calls that wait for their answers; :meth:`receive` gives one message per call, :data:`FAILED` for an error."""

    def __init__(self, target: str, method: str) -> None:
        """Connect to ``HOST:PORT`` or ``unix:PATH``; raises :class:`ServerUnavailableError` if no server answers."""
        super().__init__(target)
        headers = request_headers(target, method)
        self._block = header_block(headers, indexed=True)
        self._later_block = bytes(0x80 | (_FIRST_DYNAMIC + n) for n in reversed(range(len(headers))))
        self._next_stream = 1
        self._sending: deque[_Stream] = deque()
        self._answers: dict[int, bytearray] = {}
        self.flush()

    def queue(self, body: bytes) -> int:
        """Begin a call with ``body`` with the next :meth:`flush`; returns its number."""
        number, self._next_stream = self._next_stream, self._next_stream + 2
        self.framed.append(memoryview(frame(HEADERS, END_HEADERS, number, self._block)))
        self._block = self._later_block
        head = b"\0" + len(body).to_bytes(4, "big")
        self._sending.append(_Stream(number, self.initial_window, [memoryview(head), memoryview(body)]))
        self._answers[number] = bytearray()
        return number

    def fill(self) -> None:
        """See :meth:`Connection.fill`; calls leave one after the other."""
        while self._sending:
            stream = self._sending[0]
            while stream.left and (room := min(self.window, stream.window)) > 0:
                piece = stream.left.popleft()
                limit = min(room, self.max_frame)
                if len(piece) > limit:
                    stream.left.appendleft(piece[limit:])
                    piece = piece[:limit]
                self.window -= len(piece)
                stream.window -= len(piece)
                flags = 0 if stream.left else END_STREAM
                self.framed.append(memoryview(frame_head(len(piece), DATA, flags, stream.number)))
                self.framed.append(piece)
            if stream.left:
                return
            self._sending.popleft()

    def on_data(self, stream: int, payload: bytes) -> Iterator[bytes]:
        """See :meth:`Connection.on_data`."""
        self._answers[stream] += payload
        yield from ()

    def on_end(self, stream: int) -> Iterator[bytes]:
        """See :meth:`Connection.on_end`; the call is over, not the connection."""
        answer = self._answers.pop(stream, None)
        if answer is not None:
            self.answered = stream
            yield bytes(answer[5:]) or FAILED

    answered = 0
    """The number of the call that the message which :meth:`receive` gives now answers."""

    def on_window(self, stream: int, more: int) -> None:
        """See :meth:`Connection.on_window`."""
        for waiting in self._sending:
            if waiting.number == stream:
                waiting.window += more

    def on_initial_window(self, more: int) -> None:
        """See :meth:`Connection.on_initial_window`."""
        for waiting in self._sending:
            waiting.window += more
