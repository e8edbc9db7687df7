"""Bodies of requests, read within the limits of the gRPC port."""

from __future__ import annotations

import asyncio
from collections import Counter

from starlette.requests import Request

from ferserve.config import ServerConfig
from ferserve.errors import FrameDeadlineError, OverloadedError
from ferserve.web.refusals import TooLargeError


class Bodies:
    """Reads bodies and bounds what is held of them, in all and per client. For the event loop's thread alone."""

    def __init__(self, config: ServerConfig) -> None:
        """``config`` with its message limit filled in."""
        self._config = config
        self._held: Counter[str] = Counter()

    async def read(self, request: Request, client: str) -> bytes:
        """The whole body.

        Raises :class:`TooLargeError`, :class:`OverloadedError`, :class:`FrameDeadlineError` if it does not arrive in
        time, and Starlette's ``ClientDisconnect``.
        """
        if (told := request.headers.get("content-length", "")).isdecimal():
            self._require_size(int(told))
        chunks: list[bytes] = []
        try:
            await asyncio.wait_for(self._read(request, client, chunks), self._config.receive_timeout_s)
        except asyncio.TimeoutError:
            limit_s = self._config.receive_timeout_s
            raise FrameDeadlineError(
                f"body must arrive within {limit_s:g} s, got a part of it; send it again"
            ) from None
        finally:
            self._held[client] -= sum(map(len, chunks))
            if not self._held[client]:
                del self._held[client]
        return b"".join(chunks)

    async def _read(self, request: Request, client: str, chunks: list[bytes]) -> None:
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
            self._require_size(size)
            self._require_room(client, len(chunk))
            self._held[client] += len(chunk)
            chunks.append(chunk)

    def _require_size(self, size: int) -> None:
        most = self._config.max_message_bytes
        if size > most:
            raise TooLargeError(
                f"picture must be at most {most} bytes (server.max_message_bytes), got {size} or more; scale it down"
            )

    def _require_room(self, client: str, size: int) -> None:
        for held, most, name in (
            (self._held[client], self._config.max_receiving_bytes_per_client, "max_receiving_bytes_per_client"),
            (self._held.total(), self._config.max_receiving_bytes, "max_receiving_bytes"),
        ):
            if held + size > max(most, self._config.max_message_bytes):
                raise OverloadedError(f"bodies must hold at most {most} bytes at a time (server.{name}); try again")
