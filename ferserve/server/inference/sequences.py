"""Sequences: requests with one id are the frames of one stream, from its start to its end."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from ferserve.config import ServerConfig
from ferserve.errors import StreamProtocolError, quoted
from ferserve.scheduling.stream import EngineStream
from ferserve.server.client_limit import ClientLimit
from ferserve.server.inference.door import CallScope
from ferserve.wire.inference.parameters import SequenceControl

IDLE_S: Final = 60.0
"""How long a sequence waits for its next request before it is closed."""
_TAKE_OVER_S: Final = 5.0
"""A sequence that was idle for this long may be started by another connection: its client came back."""

_Key: TypeAlias = tuple[Hashable, str, "int | str"]


@dataclass(eq=False)
class Sequence:
    """An open sequence."""

    stream: EngineStream
    connection: str
    counted: contextlib.ExitStack
    used_s: float = field(default_factory=time.monotonic)
    waiting: int = 0
    """Requests that are not answered yet."""
    is_open: bool = True
    next_look: asyncio.TimerHandle | None = None
    _last_frame_id: int = 0

    def next_frame_id(self) -> int:
        """Of a further frame."""
        self._last_frame_id += 1
        return self._last_frame_id

    def idle_s(self) -> float:
        """Seconds since its last request or answer; 0 while one is worked on."""
        return 0.0 if self.waiting else time.monotonic() - self.used_s


class Sequences:
    """All open sequences of a server. For the event loop's thread alone."""

    def __init__(self, config: ServerConfig, idle_s: float = IDLE_S) -> None:
        self._idle_s = idle_s
        self._open: dict[_Key, Sequence] = {}
        self._limit = ClientLimit(
            "open sequences", config.max_streams_per_client, "server.max_streams_per_client", "end one first"
        )

    def __len__(self) -> int:
        return len(self._open)

    @contextlib.contextmanager
    def request(
        self, model: str, control: SequenceControl, scope: CallScope, open_stream: Callable[[], EngineStream]
    ) -> Iterator[Sequence]:
        """The sequence of a request until it is answered.

        ``open_stream`` is called if the request starts it; the end of one that ends it closes the stream. Raises
        :class:`StreamProtocolError` for a sequence that is not open or another connection's, and
        :class:`OverloadedError`.
        """
        key = (scope.sequences, model, control.id)
        sequence = self._start(key, scope, open_stream) if control.start else self._find(key, scope)
        if control.end:
            del self._open[key]
        sequence.waiting += 1
        try:
            yield sequence
        finally:
            sequence.waiting -= 1
            sequence.used_s = time.monotonic()
            if control.end:
                self._close(sequence)

    def close_scope(self, scope: Hashable) -> None:
        """Close the sequences of a stream that ended."""
        for key in [key for key in self._open if key[0] is scope]:
            self._close(self._open.pop(key))

    def close(self) -> None:
        """Close every sequence: the server stops."""
        for key in list(self._open):
            self._close(self._open.pop(key))

    def _start(self, key: _Key, scope: CallScope, open_stream: Callable[[], EngineStream]) -> Sequence:
        former = self._open.get(key)
        if former is not None:
            self._require_free(former, key, scope)
            self._close(self._open.pop(key))
        with contextlib.ExitStack() as counted:
            counted.enter_context(self._limit.hold(scope.caller.name))
            sequence = Sequence(open_stream(), scope.connection, counted.pop_all())
        self._open[key] = sequence
        self._look_in(self._idle_s, key, sequence)
        return sequence

    def _require_free(self, former: Sequence, key: _Key, scope: CallScope) -> None:
        idle_s = former.idle_s()
        if former.connection != scope.connection and idle_s < _TAKE_OVER_S:
            raise StreamProtocolError(
                f"sequence_id must be one that no other connection uses, got {quoted(key[2])}; choose another one, end "
                f"that one, or wait until it was idle for {_TAKE_OVER_S:g} s"
            )

    def _find(self, key: _Key, scope: CallScope) -> Sequence:
        sequence = self._open.get(key)
        if sequence is None:
            raise StreamProtocolError(
                f"sequence_id must be one that is open, got {quoted(key[2])}, which was never started, has ended, or "
                f"was idle for {self._idle_s:g} s; send sequence_start with its first request"
            )
        if sequence.connection != scope.connection:
            raise StreamProtocolError(
                f"sequence_id must be one of this connection, got {quoted(key[2])}, which another one started; send "
                "all requests of a sequence on one connection, or choose another id"
            )
        return sequence

    def _look_in(self, seconds: float, key: _Key, sequence: Sequence) -> None:
        sequence.next_look = asyncio.get_running_loop().call_later(seconds, self._look, key, sequence)

    def _look(self, key: _Key, sequence: Sequence) -> None:
        """Close a sequence that is idle, or look again when it could be."""
        left_s = self._idle_s - sequence.idle_s()
        if left_s > 0:
            self._look_in(left_s, key, sequence)
        elif self._open.get(key) is sequence:
            self._close(self._open.pop(key))

    def _close(self, sequence: Sequence) -> None:
        if sequence.is_open:
            sequence.is_open = False
            if sequence.next_look is not None:
                sequence.next_look.cancel()  # it would keep the stream, and the stream its model
            sequence.counted.close()
            sequence.stream.close()
