"""How a stream reaches its server, and the right one of several workers there."""

from __future__ import annotations

from typing import Any

import grpc

from ferserve.client.channel import open_channel
from ferserve.client.servers import Servers
from ferserve.config import NO_TLS, Tls
from ferserve.v1 import emotion_pb2_grpc
from ferserve.wire.metadata import MOVABLE_KEY, MOVED, STREAM_KEY, WORKER_KEY, as_dict, authorization, stream_value

MOST_MOVES = 64
"""New connections that are made for the sake of the right worker; after them any will do."""


class StreamConnector:
    """Opens the calls of one stream: on the client's own channel, or, if a worker of the server sends it elsewhere,
    on channels of its own, each of which is a new connection and may reach another worker.

    Of several servers it takes the first one in the stream's own order that is well, and stays with it until it fails.
    """

    def __init__(self, servers: Servers, reconnect_s: float, tls: Tls = NO_TLS, token: str = "") -> None:
        """``servers`` are the client's; ``reconnect_s``: how long to try to come back, 0 for not at all."""
        self.target = servers.name
        self.stream_id = ""
        """Name of the stream, which proxies may hash to find its server."""
        self._authorization = authorization(token)
        self._tls = tls
        self.reconnect_s = reconnect_s
        self._servers = servers
        self._here = ""
        self._failed: set[str] = set()
        self._own: grpc.aio.Channel | None = None
        self._worker = ""
        self._moves = 0

    def open_call(self) -> Any:
        """Start a ``ClassifyStream``."""
        if not self._here:
            order = self._servers.for_stream(self.stream_id)
            self._here = next((target for target in order if target not in self._failed), order[0])
        channel = self._own or self._servers.channel(self._here)
        stub = emotion_pb2_grpc.EmotionServiceStub(channel)  # type: ignore[no-untyped-call]
        return stub.ClassifyStream(metadata=self._metadata())

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        named = self._authorization
        if self.stream_id:
            named = (*named, (STREAM_KEY, stream_value(self.stream_id)))
        if self._moves >= MOST_MOVES:
            return named
        movable = (*named, (MOVABLE_KEY, MOVED if self._moves else "1"))
        return (*movable, (WORKER_KEY, self._worker)) if self._worker else movable

    async def settle(self, call: Any) -> None:
        """Remember which worker carries the stream of ``call``, to come back to it."""
        metadata = as_dict(await call.initial_metadata())
        self._worker = str(metadata.get(WORKER_KEY, ""))
        self._moves = 0

    async def move(self) -> None:
        """Let the next call have a connection of its own, another than before."""
        self._moves += 1
        await self.close()
        self._own = open_channel(self._here, self._tls)

    async def leave(self) -> bool:
        """Give up the server of the last call, which failed; whether there is one that has not failed since
        :meth:`note_good`. If there is none, all are tried again.
        """
        if len(self._servers.targets) == 1:
            return False
        await self.close()
        self._failed.add(self._here)
        self._here = self._worker = ""
        if self._failed.issuperset(self._servers.targets):
            self._failed.clear()
            return False
        return True

    def note_good(self) -> None:
        """The server of the last call is well."""
        self._failed.clear()

    async def close(self) -> None:
        """Close the stream's own channel, if it has one."""
        if self._own is not None:
            await self._own.close()
            self._own = None
