"""One gRPC server with its services."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import grpc

from ferserve.auth.authenticator import Authenticator
from ferserve.config import ServerConfig
from ferserve.metrics import NO_METRICS, Metrics
from ferserve.server.address import listen, listen_as_worker
from ferserve.server.gate import Gate
from ferserve.server.generic_handlers import use_generic_handlers
from ferserve.server.grpc_options import server_options
from ferserve.server.guard import ConnectionGuard
from ferserve.server.health import WATCHERS_GRACE_S, Health
from ferserve.server.interceptors import ErrorInterceptor
from ferserve.server.receiving import Receiver
from ferserve.server.requests import RequestInterceptor
from ferserve.server.services import Service
from ferserve.wire.tls import server_credentials

if TYPE_CHECKING:
    from ferserve.server.telemetry.traces import Tracing

logger = logging.getLogger(__name__)


class GrpcServer:
    """Serves a list of services, and their health, on one port or Unix domain socket.

    Used within one event loop: :meth:`start` once, then :meth:`stop`.
    """

    def __init__(
        self,
        services: Sequence[Service],
        config: ServerConfig,
        health: Health,
        metrics: Metrics = NO_METRICS,
        *,
        shares_port: bool = False,
        worker: int = 0,
        tracing: Tracing | None = None,
    ) -> None:
        """``metrics`` counts refused calls, ``tracing`` follows some. ``shares_port`` lets other processes
        listen on the same port; ``worker`` is the number of this one.
        """
        self._services = services
        self._config = config
        self._health = health
        self._metrics = metrics
        self._shares_port = shares_port
        self._worker = worker
        self._tracing = tracing

    async def start(self) -> str:
        """Listen and serve; returns ``HOST:PORT``, with the port that the system chose for port 0, or ``unix:PATH``.

        Raises :class:`ConfigError` if the address is taken or not this machine's, or a TLS file cannot be used.
        """
        credentials = server_credentials(self._config)
        receiver = Receiver(self._config)
        admin_methods = frozenset().union(*(getattr(service, "admin_methods", ()) for service in self._services))
        self._gate = Gate(Authenticator(self._config), self._config, admin_methods)
        self._server = grpc.aio.server(
            interceptors=(RequestInterceptor(self._tracing), ErrorInterceptor(receiver, self._gate, self._metrics)),
            options=server_options(self._config, shares_port=self._shares_port),
        )
        use_generic_handlers(self._server)
        for service in self._services:
            service.register(self._server)
        self._health.register(self._server)
        address = listen(self._server, self._config, credentials)
        ports = set() if self._config.uds else {int(address.rpartition(":")[2])}
        ports |= listen_as_worker(self._server, self._config, self._worker, credentials)
        self._guard = ConnectionGuard(receiver, ports, self._config.max_connections_per_client)
        await self._server.start()
        self._guard.start()
        self._gate.start()
        self._health.set_serving()
        names = ", ".join(service.name for service in self._services)
        logger.info("serving %s on %s, %s", names, address, "TLS" if credentials else "plain text")
        return address

    async def stop(self, grace_s: float | None = None) -> None:
        """Say NOT_SERVING, refuse new calls, answer what is in flight, and stop after the grace at the latest.

        ``grace_s``: None for the configured grace, 0 for none. A second call may shorten the grace of the first.
        """
        grace = self._config.grace_s if grace_s is None else grace_s
        ends = time.monotonic() + grace
        draining = asyncio.gather(*(service.drain(grace) for service in self._services))
        self._health.set_stopping()
        refusing = asyncio.ensure_future(self._server.stop(grace or None))
        await draining
        # Only watchers of the health service are left. They never end by themselves; let them get the news.
        await self._server.stop(max(min(ends - time.monotonic(), WATCHERS_GRACE_S), 0) or None)
        await refusing
        await self._gate.stop()
        await self._guard.stop()
        logger.info("stopped")
