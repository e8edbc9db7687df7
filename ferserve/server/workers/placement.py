"""The choice of the worker that carries a stream.

The system deals new connections to workers by a hash of their addresses, so a few connections may all reach the same
worker. A client that says ``ferserve-movable`` is asked to come again on a new connection until it reaches the worker
with the fewest streams, or the one that it names because its tracks are there. Other clients are served by the worker
that they reach.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from ferserve.errors import WrongWorkerError
from ferserve.wire.metadata import MOVABLE_KEY, WORKER_KEY

GONE = -1
"""Instead of the number of streams: the worker takes none."""


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

    def __init__(self, index: int, open_streams: OpenStreams) -> None:
        self.index = index
        self._open = open_streams

    def serve(self) -> None:
        """Take streams from now on."""
        self._open[self.index] = 0

    def leave(self) -> None:
        """Send streams that can move to other workers from now on."""
        self._open[self.index] = GONE

    @contextmanager
    def hold(self, metadata: Mapping[str, str]) -> Iterator[None]:
        """Count one stream while inside; raises :class:`WrongWorkerError` if another worker should carry it."""
        if MOVABLE_KEY in metadata:
            self._require_right_place(metadata.get(WORKER_KEY, ""))
        if self._open[self.index] != GONE:
            self._open[self.index] += 1
        try:
            yield
        finally:
            if self._open[self.index] > 0:
                self._open[self.index] -= 1

    def _require_right_place(self, wanted: str) -> None:
        serving = {index: count for index, count in enumerate(self._open) if count != GONE}
        if wanted.isdigit() and int(wanted) in serving:
            right = int(wanted) == self.index
        else:
            right = not serving or self._open[self.index] == min(serving.values())
        if not right:
            raise WrongWorkerError("the worker must be the one with the fewest streams, got another; connect anew")
