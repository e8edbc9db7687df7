"""Pages of real servers for blocking tests, and requests to them."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import struct
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from websockets.sync.client import ClientConnection, connect

import ferserve
from ferserve.config import ServerConfig
from ferserve.engine import Engine
from ferserve.server import Server
from ferserve.server.lifecycle import Startable
from ferserve.web import WebServer


class Behind:
    """A gRPC server, and the page that asks it as a client."""

    def __init__(self, engine: Engine) -> None:
        self._server = Server(engine, ServerConfig(port=0))

    async def start(self) -> str:
        """The address of the page."""
        self._client = ferserve.AsyncClient(await self._server.start())
        self._page = WebServer(self._client, ServerConfig(), 0)
        return await self._page.start()

    async def stop(self, grace_s: float | None = None) -> None:
        """The page first."""
        await self._page.stop(grace_s)
        await self._client.close()
        await self._server.stop(grace_s)


class Answer(NamedTuple):
    """What came back over HTTP."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> tuple[int, str]:
        """Status, and the code of the error."""
        return self.status, self.json["error"]["code"]


@contextlib.contextmanager
def running(server: Startable) -> Iterator[str]:
    """The address of ``server``, which runs in an event loop of its own thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield asyncio.run_coroutine_threadsafe(server.start(), loop).result(20)
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(0), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def ask(address: str, method: str, path: str, body: Any = None, **headers: str) -> Answer:
    """One request; ``_`` in the name of a header is a hyphen. A body that is no bytes is sent in chunks."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=20)
    try:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, f"/{path}", body, sent)
        response = connection.getresponse()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
    finally:
        connection.close()


def classify(address: str, picture: bytes, query: str = "", **headers: str) -> Answer:
    """One picture."""
    return ask(address, "POST", f"v1/classify{query}", picture, **headers)


def frame(frame_id: int, picture: bytes, time_ns: int = 0, flags: int = 0) -> bytes:
    """The message of a frame, as docs/web.md describes it."""
    return struct.pack(">BBHIQ", 1, flags, 0, frame_id, time_ns) + picture


class Socket:
    """A stream's socket as a web app has it."""

    def __init__(self, address: str, config: Any = None, origin: str | None = None, **settings: Any) -> None:
        url = address.replace("http", "ws", 1) + "v1/stream"
        self._opened = connect(url, origin=origin, compression=None, **settings)  # type: ignore[arg-type]
        self.connection: ClientConnection = self._opened.__enter__()
        if config is not None:
            self.send(config if isinstance(config, str | bytes) else json.dumps(config))

    def __enter__(self) -> Socket:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.__exit__(None, None, None)

    def send(self, message: str | bytes) -> None:
        self.connection.send(message)

    def next(self) -> dict[str, Any]:
        """The next message."""
        message: dict[str, Any] = json.loads(self.connection.recv(20))
        return message
