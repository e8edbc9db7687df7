"""The limit on open streams per client."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from ferserve.errors import OverloadedError
from ferserve.server.callers import client_address


class StreamLimit:
    """Counts the open streams per client address. For the event loop's thread alone."""

    def __init__(self, max_streams_per_client: int) -> None:
        self._max = max_streams_per_client
        self._open: Counter[str] = Counter()

    @contextmanager
    def hold(self, peer: str) -> Iterator[None]:
        """Count one stream of ``peer`` while inside; raises :class:`OverloadedError` if the client has too many."""
        client = client_address(peer)
        if self._open[client] >= self._max:
            raise OverloadedError(
                f"open streams per client must be at most {self._max} (server.max_streams_per_client), "
                f"got one more from {client}; close one first"
            )
        self._open[client] += 1
        try:
            yield
        finally:
            self._open[client] -= 1
            if not self._open[client]:
                del self._open[client]
