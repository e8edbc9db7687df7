"""When gRPC copies a message for us: it does so on the event loop, in one go, for a millisecond per MiB."""

from __future__ import annotations

import asyncio
import time
from collections import deque


class CopyTurns:
    """Lets messages that may be large be copied one at a time, by turns among clients, with a rest after a large one.

    For the event loop's thread alone.
    """

    def __init__(self) -> None:
        self._queues: dict[str, deque[asyncio.Future[None]]] = {}
        """What waits, by client; the first client is next."""
        self._rest: asyncio.TimerHandle | None = None
        self._began_s = 0.0

    def turn(self, client: str) -> asyncio.Future[None] | None:
        """What to wait for before a message of ``client`` is copied; None if it may be now."""
        if self._rest is None:
            self._began_s = time.thread_time()
            return None
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queues.setdefault(client, deque()).append(waiter)
        return waiter

    def spent_s(self) -> float:
        """Processor time of the event loop since the last turn began."""
        return time.thread_time() - self._began_s

    def rest(self, seconds: float) -> None:
        """Copy nothing more for so long, and in this pass of the loop."""
        if self._rest is not None:
            self._rest.cancel()
        self._rest = asyncio.get_running_loop().call_later(seconds, self._go_on)

    def _go_on(self) -> None:
        self._rest, self._began_s = None, time.thread_time()
        while self._queues:
            client = next(iter(self._queues))
            queue = self._queues.pop(client)
            waiter = queue.popleft()
            if queue:
                self._queues[client] = queue  # behind the others
            if not waiter.done():
                waiter.set_result(None)
                break
        if self._queues:
            self.rest(0)
