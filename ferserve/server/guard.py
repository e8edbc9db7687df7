"""Watches over the connections of a port: how many there are by client, and what their unfinished messages hold."""

from __future__ import annotations

import asyncio
import contextlib
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
            started, worked_s = time.monotonic(), time.thread_time()
            if self._ports and (self._receiver.needs_measuring() or started >= due):
                connections = list(connections_to(self._ports))
                soon = self._receiver.check_bytes(connections)
                self._close_supernumerary(connections)
                spent_s = time.thread_time() - worked_s
                due = started + _ALWAYS_S
                if self._memory.is_due():
                    await asyncio.to_thread(self._memory.trim)
                tick_s = min(max(_SOON_S if soon else _MEASURING_S, spent_s / _SHARE), _ALWAYS_S)

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
