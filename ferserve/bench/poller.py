"""Waits for many calls at once, to the microsecond."""

from __future__ import annotations

import select
from collections.abc import Callable
from types import TracebackType

from ferserve.bench.http2 import Connection


class Poller:
    """Reads from calls and hands each message to the ``on_message`` that the call was added with."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._calls: dict[int, tuple[Connection, Callable[[bytes], None]]] = {}
        self._writing: set[int] = set()

    def __enter__(self) -> Poller:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for call, _ in self._calls.values():
            call.close()
        self._epoll.close()

    def add(self, call: Connection, on_message: Callable[[bytes], None]) -> None:
        """Watch ``call``."""
        self._calls[call.fileno()] = call, on_message
        self._epoll.register(call.fileno(), select.EPOLLIN)

    def wait(self, timeout_s: float) -> None:
        """Deliver what comes within ``timeout_s``; returns early as soon as anything came."""
        # epoll's own time-out counts milliseconds, up to one of which would be seen as latency; select's does not.
        if timeout_s > 0:
            select.select([self._epoll.fileno()], [], [], timeout_s)
        for number, events in self._epoll.poll(0):
            call, on_message = self._calls[number]
            if events & select.EPOLLOUT:
                call.flush()
            if events & ~select.EPOLLOUT:
                for message in call.receive():
                    on_message(message)
                call.flush()
            if call.ended:
                self._epoll.unregister(number)
            else:
                self.watch_writes(call)

    def watch_writes(self, call: Connection) -> None:
        """Must be told after a send that the socket may not have taken whole."""
        number = call.fileno()
        if call.ended or call.wants_write == (number in self._writing):
            return
        if call.wants_write:
            self._writing.add(number)
            self._epoll.modify(number, select.EPOLLIN | select.EPOLLOUT)
        else:
            self._writing.discard(number)
            self._epoll.modify(number, select.EPOLLIN)
