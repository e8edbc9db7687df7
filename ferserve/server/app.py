"""Life of the server: start, serve, drain, stop."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from ferserve.config import ServerConfig
from ferserve.errors import ConfigError
from ferserve.server.address import address_taken, host_and_port
from ferserve.server.bridge import LoopBridge
from ferserve.server.emotion.servicer import EmotionServicer
from ferserve.server.interceptors import ErrorInterceptor
from ferserve.server.workers.placement import Placement
from ferserve.v1 import emotion_pb2, emotion_pb2_grpc
from ferserve.wire.tls import server_credentials

if TYPE_CHECKING:
    from ferserve.engine import Engine

SERVICE_NAME: str = emotion_pb2.DESCRIPTOR.services_by_name["EmotionService"].full_name

WATCHERS_GRACE_S = 0.5
"""How long a server that is otherwise done waits for watchers of its health to be told."""


class Server:
    """One gRPC server on one engine, which it does not own.

    To be used within one event loop: :meth:`start` once, then :meth:`stop`.
    """

    def __init__(
        self,
        engine: Engine,
        config: ServerConfig,
        placement: Placement | None = None,
        *,
        health_address: str = "",
    ) -> None:
        """``placement`` and a ``health_address`` of its own besides the port are for one of several workers."""
        self._engine = engine
        self._config = config
        self._placement = placement
        self._health_address = health_address

    async def start(self) -> str:
        """Listen and serve; returns ``HOST:PORT`` with the port that the system chose if the configured one is 0, or
        ``unix:PATH``.

        Raises :class:`ConfigError` where the address is taken or is none of this machine's, and for TLS files that
        are not what they should be.
        """
        credentials = server_credentials(self._config)
        bridge = LoopBridge(asyncio.get_running_loop())
        self._emotion = EmotionServicer(self._engine, bridge, self._config, self._placement)
        self._health = health.aio.HealthServicer()
        options = _options(self._config, self._placement is not None)
        self._server = grpc.aio.server(interceptors=(ErrorInterceptor(),), options=options)
        self._probed = grpc.aio.server(options=options)
        emotion_pb2_grpc.add_EmotionServiceServicer_to_server(  # type: ignore[no-untyped-call]
            self._emotion, self._server
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._probed)
        address = self._listen(credentials)
        self._listen_to_probes()
        await self._health.set(SERVICE_NAME, health_pb2.HealthCheckResponse.SERVING)
        await self._probed.start()
        await self._server.start()
        if self._placement is not None:
            self._placement.serve()
        return address

    def _listen(self, credentials: grpc.ServerCredentials | None) -> str:
        if self._config.uds:
            _require_unheard(self._config.uds)
            _bind(self._server, f"unix:{self._config.uds}", credentials)
            return f"unix:{self._config.uds}"
        port = _bind(self._server, host_and_port(self._config.host, self._config.port), credentials)
        return host_and_port(self._config.host, port)

    def _listen_to_probes(self) -> None:
        """Plain text, so nothing but health: to the supervisor, and to probes that cannot speak TLS."""
        if self._health_address:
            _bind(self._probed, self._health_address)
        if self._config.health_port:
            address = host_and_port(self._config.host, self._config.health_port)
            _bind(self._probed, address, port_name="health_port")

    async def stop(self, grace_s: float | None = None) -> None:
        """Say NOT_SERVING, accept nothing new, answer what is in flight, and stop, after the grace at the latest.

        ``grace_s`` None stands for the configured grace, 0 for none; a second call may hurry the first.
        """
        grace = self._config.grace_s if grace_s is None else grace_s
        if self._placement is not None:
            self._placement.leave()
        await self._health.enter_graceful_shutdown()
        refusing = asyncio.ensure_future(self._server.stop(grace or None))
        await self._emotion.drain(grace)
        # Nobody is left but watchers of the health service, who never end by themselves: they may hear the news.
        watched = (self._server, self._probed)
        await asyncio.gather(*(server.stop(min(grace, WATCHERS_GRACE_S) or None) for server in watched))
        await refusing


def _bind(
    server: grpc.aio.Server,
    address: str,
    credentials: grpc.ServerCredentials | None = None,
    port_name: str = "port",
) -> int:
    """The port. Raises :class:`ConfigError` that names the setting, where the address cannot be had."""
    try:
        if credentials:
            return int(server.add_secure_port(address, credentials))
        return int(server.add_insecure_port(address))
    except RuntimeError:
        if address.startswith("unix:"):
            raise ConfigError(
                "server.uds must be a new path of at most 107 bytes in a folder that can be written to, got "
                f"{address.removeprefix('unix:')}"
            ) from None
        raise address_taken(address, port_name) from None


def _require_unheard(path: str) -> None:
    """gRPC takes the socket of a running server away without a word; one that nobody listens to may be replaced."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError:
            return
    raise ConfigError(f"server.uds must be a path that no server listens on, got {path}; stop it, or choose another")


def _options(config: ServerConfig, shared_port: bool) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", config.max_message_bytes),
        ("grpc.max_send_message_length", -1),
        # A port that a stranger serves is an error, not a lottery between the two; among workers it is meant.
        ("grpc.so_reuseport", int(shared_port)),
        # Clients may ask every ten seconds whether we are alive, without being sent away for it.
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
        # Peers that vanished without a word give their streams back after half a minute.
        ("grpc.keepalive_time_ms", 20_000),
        ("grpc.keepalive_timeout_ms", 10_000),
    ]
