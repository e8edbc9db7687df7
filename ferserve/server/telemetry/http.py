"""The port that Prometheus scrapes."""

from __future__ import annotations

import asyncio
import contextlib

from ferserve.server.address import address_taken, host_and_port
from ferserve.server.telemetry.exposition import CONTENT_TYPE, Exposition

_MAX_REQUEST_BYTES = 16 * 1024
_TIMEOUT_S = 5.0
_MAX_CONNECTIONS = 32


class MetricsServer:
    """Answers ``GET /metrics`` over HTTP/1.1, one request per connection. A
    :class:`ferserve.server.lifecycle.Startable`.

    The text is made in a thread, so that no frame waits for it. Requests that are large, slow, or too many at once end
    with their connection.
    """

    def __init__(self, exposition: Exposition, host: str, port: int) -> None:
        self.exposition = exposition
        self._host, self._port = host, port
        self._open = 0
        self._server: asyncio.Server | None = None

    async def start(self) -> str:
        """Listen; returns ``HOST:PORT``. Raises :class:`ferserve.errors.ConfigError` if the port is taken."""
        address = host_and_port(self._host, self._port)
        try:
            self._server = await asyncio.start_server(
                self._serve, self._host, self._port, limit=_MAX_REQUEST_BYTES, reuse_port=False
            )
        except OSError:
            raise address_taken(address, "metrics_port") from None
        return address

    async def stop(self, grace_s: float | None = None) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.set_write_buffer_limits(0)  # so that draining means all is sent
        self._open += 1
        try:
            if self._open <= _MAX_CONNECTIONS:
                with contextlib.suppress(
                    asyncio.TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError
                ):
                    await asyncio.wait_for(self._answer(reader, writer), _TIMEOUT_S)
        finally:
            self._open -= 1
            if writer.transport.get_write_buffer_size():  # the client reads nothing
                writer.transport.abort()
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method, _, rest = head.partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0]
        if method not in (b"GET", b"HEAD"):
            status, body = "405 Method Not Allowed", b"method must be GET or HEAD\n"
        elif path != b"/metrics":
            status, body = "404 Not Found", b"path must be /metrics\n"
        else:
            status, body = "200 OK", await asyncio.to_thread(self.exposition.text)
        kind = CONTENT_TYPE if status == "200 OK" else "text/plain; charset=utf-8"
        lines = (f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", "Connection: close")
        writer.write("".join(f"{line}\r\n" for line in (*lines, "")).encode())
        if method != b"HEAD":
            writer.write(body)
        await writer.drain()
