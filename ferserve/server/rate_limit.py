"""Rates that one client may keep up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from ferserve.config import ServerConfig
from ferserve.errors import OverloadedError

_MANY = 10_000
"""Clients that are remembered before those that owe nothing are forgotten."""


class RateLimit:
    """Counts what clients take per second, each for itself: a bucket that one second fills. For one thread alone."""

    def __init__(self, per_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """``per_s`` may be taken every second, 0 for any amount; a client that rested for a second may take as much at
        once, and always a whole one.
        """
        self._per_s = per_s
        self._full = max(per_s, 1.0)
        self._clock = clock
        self._full_at: dict[str, float] = {}

    def wait_s(self, client: str) -> float:
        """Seconds until ``client`` may take again; 0 if it may now."""
        if not self._per_s:
            return 0.0
        owed_s = self._full_at.get(client, 0.0) - self._clock()
        return max(0.0, owed_s - (self._full - 1) / self._per_s)

    def take(self, client: str, amount: float) -> None:
        """Note that ``client`` took ``amount``; more than it may have makes it wait for longer."""
        if not self._per_s:
            return
        now = self._clock()
        self._full_at[client] = max(self._full_at.get(client, 0.0), now) + amount / self._per_s
        if len(self._full_at) > _MANY:
            self._full_at = {name: at for name, at in self._full_at.items() if at > now}


class ClientRates:
    """What each client may ask for per second. For the event loop's thread alone."""

    def __init__(self, config: ServerConfig) -> None:
        self._most_calls = config.max_calls_per_s_per_client
        self._calls = RateLimit(self._most_calls)
        self._bytes = RateLimit(config.max_bytes_per_s_per_client)

    def begin_call(self, client: str) -> None:
        """Count a call; raises :class:`OverloadedError` if there were too many."""
        if self._calls.wait_s(client):
            raise OverloadedError(
                f"calls per second and client must be at most {self._most_calls:g} "
                f"(server.max_calls_per_s_per_client), got one more from {client}; send them more slowly, or as frames "
                "of a stream",
                "server.max_calls_per_s_per_client",
            )
        self._calls.take(client, 1)

    async def before_message(self, client: str) -> None:
        """Wait until another message of ``client`` may be read; meanwhile its sender feels flow control."""
        while wait_s := self._bytes.wait_s(client):  # noqa: ASYNC110 - its other calls take meanwhile
            await asyncio.sleep(wait_s)

    def count_message(self, client: str, size: int) -> None:
        """Note a message of ``size`` bytes."""
        self._bytes.take(client, size)
