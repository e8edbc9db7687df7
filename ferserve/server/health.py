"""The standard gRPC health service, on the port and on addresses of its own."""

from __future__ import annotations

from collections.abc import Sequence

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from ferserve.config import ServerConfig
from ferserve.server.address import bind, host_and_port
from ferserve.server.grpc_options import server_options
from ferserve.server.interceptors import ErrorInterceptor
from ferserve.server.receiving import Receiver

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
_WHOLE_SERVER = ""

WATCHERS_GRACE_S = 0.5
"""How long a server that is otherwise done waits for watchers of its health to get the news."""


class Health:
    """Whether each service, and the server as a whole, can be called. May be registered with several servers."""

    def __init__(self, service_names: Sequence[str]) -> None:
        self._names = (_WHOLE_SERVER, *service_names)
        self._servicer = health.aio.HealthServicer()

    def register(self, server: grpc.aio.Server) -> None:
        """Let ``server`` answer health checks."""
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)

    async def set_starting(self) -> None:
        """Answer NOT_SERVING for now."""
        await self._set(_NOT_SERVING)

    async def set_serving(self) -> None:
        """Answer SERVING."""
        await self._set(_SERVING)

    async def set_stopping(self) -> None:
        """Answer NOT_SERVING from now on."""
        await self._servicer.enter_graceful_shutdown()

    async def _set(self, status: health_pb2.HealthCheckResponse.ServingStatus) -> None:
        for name in self._names:
            await self._servicer.set(name, status)


class ProbeServer:
    """Serves nothing but health, since it speaks plain text: to the supervisor, and to probes that cannot speak TLS."""

    def __init__(
        self, health: Health, config: ServerConfig, supervisor_address: str = "", *, shares_port: bool = False
    ) -> None:
        """Listens on ``supervisor_address`` and on the configured health port, each unless it is empty or 0."""
        self._health = health
        self._config = config
        self._supervisor_address = supervisor_address
        self._shares_port = shares_port

    async def start(self) -> str:
        """Listen and serve; raises :class:`ConfigError` if the health port is taken."""
        self._server = grpc.aio.server(
            interceptors=(ErrorInterceptor(Receiver(self._config)),),
            options=server_options(self._config, shares_port=self._shares_port),
        )
        self._health.register(self._server)
        await self._health.set_starting()
        address = self._supervisor_address
        if address:
            bind(self._server, address)
        if self._config.health_port:
            address = host_and_port(self._config.host, self._config.health_port)
            bind(self._server, address, port_name="health_port")
        await self._server.start()
        return address

    async def stop(self, grace_s: float | None = None) -> None:
        """Stop; watchers get a moment to hear that the server is gone, unless ``grace_s`` is 0."""
        await self._server.stop(WATCHERS_GRACE_S if grace_s is None else min(grace_s, WATCHERS_GRACE_S) or None)
