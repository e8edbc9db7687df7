"""Connections of the page's port: so many per visitor, and none that says nothing."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol

from ferserve.config import ServerConfig
from ferserve.server.callers import network_of


def bounded_protocol(limits: ServerConfig) -> type[H11Protocol]:
    """uvicorn's HTTP within ``max_connections_per_client`` and ``receive_timeout_s``, which it does not know."""
    return type("BoundedProtocol", (_BoundedProtocol,), {"limits": limits})


class _BoundedProtocol(H11Protocol):
    """One connection. The time is that of a request's header; what comes after it has limits of its own."""

    limits: ClassVar[ServerConfig]
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Close it at once if its client has too many."""
        super().connection_made(transport)
        if self._connections_of_client() > self.limits.max_connections_per_client:
            transport.close()
        else:
            self._expect_header()

    def data_received(self, data: bytes) -> None:
        """Take up what came."""
        super().data_received(data)
        self._expect_header()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing more."""
        super().connection_lost(exc)
        self._stop_timer()

    def _connections_of_client(self) -> int:
        mine = network_of(self.client[0]) if self.client else ""
        others = (getattr(connection, "client", None) for connection in self.connections)
        return sum(1 for client in others if client and network_of(client[0]) == mine)

    def _expect_header(self) -> None:
        if not self._is_waiting():
            self._stop_timer()
        elif self._timer is None:
            self._timer = self.loop.call_later(self.limits.receive_timeout_s, self._close_silent)

    def _is_waiting(self) -> bool:
        """For the first header, or for the rest of a later one; uvicorn closes a connection that is merely idle."""
        if self.transport.get_protocol() is not self:  # it is a socket of frames by now
            return False
        return self.cycle is None or (self.cycle.response_complete and self.timeout_keep_alive_task is None)

    def _close_silent(self) -> None:
        if self._is_waiting():
            self.transport.close()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
