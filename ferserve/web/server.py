"""The page on a port of its own, in an event loop that runs already."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Generator
from pathlib import Path

import uvicorn

from ferserve.addresses import is_loopback
from ferserve.client import AsyncClient
from ferserve.config import ServerConfig
from ferserve.engine import Engine
from ferserve.server.address import address_taken, host_and_port
from ferserve.server.calls import ActiveCalls
from ferserve.web.application import app
from ferserve.web.caller import Authenticate
from ferserve.web.certificates import server_context
from ferserve.web.connections import bounded_protocol
from ferserve.web.guard import LOOPBACK_NAMES


class WebServer:
    """Serves the page on a port. A :class:`ferserve.server.lifecycle.Startable`."""

    def __init__(
        self,
        answers: Engine | AsyncClient,
        config: ServerConfig,
        port: int,
        *,
        authenticate: Authenticate | None = None,
        demo_clip: Path | None = None,
    ) -> None:
        """``port`` 0 takes any free one; ``config`` says the address, the certificates and the limits. For the rest see
        :func:`ferserve.web.app`.
        """
        hosts = LOOPBACK_NAMES if is_loopback(config.host) else ()
        application = app(answers, config, authenticate=authenticate, hosts=hosts, demo_clip=demo_clip)
        self._config = config
        self._port = port
        self._calls: ActiveCalls = application.state.calls
        settings = uvicorn.Config(
            application,
            http=bounded_protocol(config),
            ws="websockets-sansio",
            ws_max_size=application.state.max_frame_bytes,
            ws_per_message_deflate=False,  # pictures do not shrink
            limit_concurrency=config.max_connections,
            timeout_graceful_shutdown=1,
            log_config=None,
            access_log=False,
            lifespan="off",
            proxy_headers=False,
            server_header=False,
        )
        settings.load()
        settings.ssl = server_context(config)
        self._scheme = "https" if settings.ssl else "http"
        self._server = _Embedded(settings)
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> str:
        """Listen and serve; returns the address of the page. Raises :class:`ferserve.errors.ConfigError`."""
        listener = _listen(self._config.host, self._port)
        self._serving = asyncio.ensure_future(self._server.serve(sockets=[listener]))
        await self._server.listening.wait()
        return f"{self._scheme}://{host_and_port(self._config.host, listener.getsockname()[1])}/"

    async def stop(self, grace_s: float | None = None) -> None:
        """See :meth:`ferserve.server.lifecycle.Startable.stop`."""
        await self._calls.drain(self._config.grace_s if grace_s is None else grace_s)
        self._server.should_exit = True
        if self._serving is not None:
            await asyncio.wait([self._serving])


class _Embedded(uvicorn.Server):
    """Leaves signals to the process that it is a part of, and says when it listens."""

    def __init__(self, settings: uvicorn.Config) -> None:
        super().__init__(settings)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen."""
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Capture none."""
        yield


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=512)
    except OSError:
        raise address_taken(host_and_port(host, port), "web_port") from None
    # asyncio does so only for sockets that name their protocol. Connections inherit it; without it the body of an
    # answer waits 40 ms for the acknowledgement of its head.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
