"""The standard gRPC health service, on the port and on addresses of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ferserve.auth.authenticator import Authenticator
from ferserve.config import ServerConfig
from ferserve.server.address import bind, host_and_port
from ferserve.server.gate import Gate
from ferserve.server.grpc_options import server_options
from ferserve.server.guard import ConnectionGuard
from ferserve.server.interceptors import ErrorInterceptor
from ferserve.server.logs import one_line
from ferserve.server.receiving import Receiver
from ferserve.server.services import Service
from ferserve.wire.status import details_of

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
_WHOLE_SERVER = ""
HEALTH_NAME: str = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name

WATCHERS_GRACE_S = 0.5
"""How long a server that is otherwise done waits for watchers of its health to get the news."""


class Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc]
    """Whether each service, and the server as a whole, can be called. May be registered with several servers.

    Watchers share no lock: one that reads nothing holds up neither the others nor whoever changes the status.
    """

    def __init__(self, service_names: Sequence[str]) -> None:
        self._names = frozenset((_WHOLE_SERVER, *service_names))
        self._started = self._stopping = self._stalled = self._device_lost = False
        self._changed = asyncio.Event()  # set, and replaced, with each change

    def register(self, server: grpc.aio.Server) -> None:
        """Let ``server`` answer health checks."""
        health_pb2_grpc.add_HealthServicer_to_server(self, server)

    def set_serving(self) -> None:
        """Answer SERVING, unless workers stall, a device is lost or the server stops."""
        self._started = True
        self._tell()

    def set_stalled(self, stalled: bool) -> None:
        """Note whether the workers make no progress."""
        self._stalled = stalled
        self._tell()

    def set_device_lost(self, lost: bool) -> None:
        """Note whether a device that runs models is gone."""
        self._device_lost = lost
        self._tell()

    def set_stopping(self) -> None:
        """Answer NOT_SERVING from now on."""
        self._stopping = True
        self._tell()

    def is_serving(self) -> bool:
        """Whether the server as a whole takes calls and works on them."""
        return self._status(_WHOLE_SERVER) == int(_SERVING)

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _status(self, service: str) -> int:
        if service not in self._names:
            return int(_UNKNOWN)
        trouble = self._stopping or self._stalled or self._device_lost
        return int(_SERVING if self._started and not trouble else _NOT_SERVING)

    async def Check(self, request: Any, context: Any) -> Any:
        """The status now; NOT_FOUND for a service that is not here."""
        status = self._status(request.service)
        if status == _UNKNOWN:
            names = ", ".join(map(repr, sorted(self._names)))
            message = f"service must be one of {names}, got '{one_line(request.service)}'"
            await context.abort(grpc.StatusCode.NOT_FOUND, details_of(message))
        return health_pb2.HealthCheckResponse(status=status)

    async def Watch(self, request: Any, context: Any) -> None:
        """The status now, and whenever it changes; a slow watcher misses what has changed again meanwhile."""
        sent = -1
        while True:
            changed = self._changed
            status = self._status(request.service)
            if status == sent:
                await changed.wait()
            else:
                await context.write(health_pb2.HealthCheckResponse(status=status))
                sent = status


class ProbeServer:
    """Serves health alone, since it speaks plain text: to the supervisor, and to probes that cannot speak TLS."""

    def __init__(
        self,
        health: Health,
        config: ServerConfig,
        supervisor_address: str = "",
        for_peers: Sequence[Service] = (),
        *,
        shares_port: bool = False,
    ) -> None:
        """Listens on ``supervisor_address`` and on the configured health port, each unless it is empty or 0.

        ``for_peers`` are services that answer other workers alone.
        """
        self._for_peers = for_peers
        self._health = health
        self._config = config
        self._supervisor_address = supervisor_address
        self._shares_port = shares_port

    async def start(self) -> str:
        """Listen and serve; raises :class:`ConfigError` if the health port is taken."""
        receiver = Receiver(self._config)
        self._server = grpc.aio.server(
            interceptors=(ErrorInterceptor(receiver, Gate(Authenticator(ServerConfig()), ServerConfig())),),
            options=server_options(self._config, shares_port=self._shares_port),
        )
        for service in (self._health, *self._for_peers):
            service.register(self._server)
        address = self._supervisor_address
        if address:
            bind(self._server, address)
        if self._config.health_port:
            address = host_and_port(self._config.host, self._config.health_port)
            bind(self._server, address, port_name="health_port")
        ports = {self._config.health_port} - {0}
        self._guard = ConnectionGuard(receiver, ports, self._config.max_connections_per_client)
        await self._server.start()
        self._guard.start()
        return address

    async def stop(self, grace_s: float | None = None) -> None:
        """Stop; watchers get a moment to hear that the server is gone, unless ``grace_s`` is 0."""
        await self._server.stop(WATCHERS_GRACE_S if grace_s is None else min(grace_s, WATCHERS_GRACE_S) or None)
        await self._guard.stop()
