"""The choice of the worker that carries a stream.

The system deals new connections to workers by a hash of their addresses, so a few connections may all reach the same
worker. A client that says ``ferserve-movable`` is asked to come again on a new connection until it reaches the worker
with the fewest streams, or the one that it names because its tracks are there. Other clients are served by the worker
that they reach.

A proxy that keeps connections to the workers gives such a client no new ones: whoever comes again on a connection that
was sent on stays. With an endpoint per worker nobody is sent on, since proxies choose.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from ferserve.errors import WrongWorkerError
from ferserve.wire.metadata import MOVABLE_KEY, MOVED, WORKER_KEY

GONE = -1
"""Instead of the number of streams: the worker takes none."""
_MAX_SENT_ON = 256
"""Connections that are remembered: proxies keep some per thread and server."""


class OpenStreams(Protocol):
    """The number of open streams by the index of the worker."""

    def __getitem__(self, index: int, /) -> int: ...

    def __setitem__(self, index: int, number: int, /) -> None: ...

    def __iter__(self) -> Iterator[int]: ...


class Placement:
    """One worker among all. For the event loop's thread alone.

    ``open_streams`` is memory that all workers share, with one number each. A worker writes its own number only, so
    no lock is needed, and none can be left locked by a worker that dies.
    """

    def __init__(self, index: int, open_streams: OpenStreams, *, has_endpoint: bool = False) -> None:
        """``has_endpoint``: whether the worker has a port of its own."""
        self.index = index
        self._open = open_streams
        self._has_endpoint = has_endpoint
        self._sent_on: deque[str] = deque(maxlen=_MAX_SENT_ON)

    def serve(self) -> None:
        """Take streams from now on."""
        self._open[self.index] = 0

    def leave(self) -> None:
        """Send streams that can move to other workers from now on."""
        self._open[self.index] = GONE

    @contextmanager
    def hold(self, metadata: Mapping[str, str], peer: str = "") -> Iterator[None]:
        """Count one stream while inside; raises :class:`WrongWorkerError` if another worker should carry it.

        ``peer`` is gRPC's name of the connection.
        """
        if MOVABLE_KEY in metadata and not self._has_endpoint:
            is_old = metadata[MOVABLE_KEY] == MOVED and peer in self._sent_on
            if not is_old and not self._is_right(metadata.get(WORKER_KEY, "")):
                self._sent_on.append(peer)
                raise WrongWorkerError("the worker must be the one with the fewest streams, got another; connect anew")
        if self._open[self.index] != GONE:
            self._open[self.index] += 1
        try:
            yield
        finally:
            if self._open[self.index] > 0:
                self._open[self.index] -= 1

    def _is_right(self, wanted: str) -> bool:
        serving = {index: count for index, count in enumerate(self._open) if count != GONE}
        if wanted.isdigit() and int(wanted) in serving:
            return int(wanted) == self.index
        return not serving or self._open[self.index] == min(serving.values())
