"""Watches over the connections of a port: how many there are by client, and what their unfinished messages hold."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import time
from collections import Counter
from collections.abc import Iterable

from ferserve.server.callers import network_of
from ferserve.server.memory import MemoryTrimmer
from ferserve.server.receiving import Receiver
from ferserve.server.sockets import Connection, connections_to, hang_up

logger = logging.getLogger(__name__)

_ALWAYS_S = 1.0
_MEASURING_S = 0.1
_SOON_S = 0.02
_AT_ONCE = 50
"""Connections that are looked at in one pass of the loop: a millisecond."""
_SHARE = 0.02
"""Of the event loop's working time that looking may take, as long as it is asked once a second."""


class ConnectionGuard:
    """Looks at the connections of ``ports`` again and again. Used within one event loop."""

    def __init__(self, receiver: Receiver, ports: set[int], max_connections_per_client: int) -> None:
        self._receiver = receiver
        self._ports = ports
        self._max_per_client = max_connections_per_client
        self._known: set[int] = set()
        self._memory = MemoryTrimmer()

    def start(self) -> None:
        """Begin to watch."""
        self._task = asyncio.ensure_future(self._watch())

    async def stop(self) -> None:
        """Watch no more."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _watch(self) -> None:
        due, tick_s = 0.0, _MEASURING_S
        while True:
            await asyncio.sleep(tick_s)
            self._receiver.check_deadlines()
            started = time.monotonic()
            if self._ports and (self._receiver.needs_measuring() or started >= due):
                soon, spent_s = await self._look()
                due = started + _ALWAYS_S
                if self._memory.is_due():
                    await asyncio.to_thread(self._memory.trim)
                tick_s = min(max(_SOON_S if soon else _MEASURING_S, spent_s / _SHARE), _ALWAYS_S)

    async def _look(self) -> tuple[bool, float]:
        """Look at all connections; returns whether the next look should come sooner, and the processor time that this
        one took.
        """
        found: list[Connection] = []
        looking, spent_s = connections_to(self._ports), 0.0
        while True:
            began_s = time.thread_time()
            part = list(itertools.islice(looking, _AT_ONCE))
            self._receiver.measure(part)
            found += part
            if len(part) < _AT_ONCE:
                break
            spent_s += time.thread_time() - began_s
            await asyncio.sleep(0)
        soon = self._receiver.check_bytes(found)
        self._close_supernumerary(found)
        return soon, spent_s + time.thread_time() - began_s

    def _close_supernumerary(self, connections: Iterable[Connection]) -> None:
        """Close the newest connections of clients that have too many."""
        by_age = sorted(connections, key=lambda connection: (connection.inode not in self._known, connection.file))
        counts: Counter[str] = Counter()
        self._known = set()
        for connection in by_age:
            client = network_of(connection.peer[0])
            if counts[client] < self._max_per_client:
                counts[client] += 1
                self._known.add(connection.inode)
            else:
                hang_up(connection)
                logger.info("connection of %s closed: it has %d others", client, self._max_per_client)
