"""A server behind the page, which is one of its clients."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from ferserve.client import AsyncClient
from ferserve.options import Delivery, FrameOptions, StreamOptions
from ferserve.scheduling.caller import Caller
from ferserve.types import EncodedImage, Frame, FrameResult, ModelDescription


class ServerUpstream:
    """Asks a server through ``client``, which it does not own. An :class:`ferserve.web.upstream.Upstream`.

    To the server all visitors of the page are one caller, the page.
    """

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def classify(self, picture: bytes, options: FrameOptions, caller: Caller) -> FrameResult:
        """See :class:`ferserve.web.upstream.Upstream`."""
        return await self._client.classify(EncodedImage(picture), options=options)

    async def models(self) -> list[ModelDescription]:
        """See :class:`ferserve.web.upstream.Upstream`."""
        return await self._client.models()

    @asynccontextmanager
    async def stream(
        self, options: StreamOptions, caller: Caller, resume_token: bytes
    ) -> AsyncIterator[ServerFrameStream]:
        """See :class:`ferserve.web.upstream.Upstream`. The client reconnects to the server by itself."""
        model = await self._client.model(options.frame.model)
        options = replace(options, stream_id="", delivery=options.delivery or Delivery.LATEST)
        stream = ServerFrameStream(self._client, model, options)
        async with contextlib.aclosing(stream.results):
            yield stream


class ServerFrameStream:
    """A stream of a client. An :class:`ferserve.web.upstream.FrameStream`.

    The client takes frames ahead up to its ``max_in_flight``; then :meth:`send` waits.
    """

    resumed = False
    resume_token = b""

    def __init__(self, client: AsyncClient, model: ModelDescription, options: StreamOptions) -> None:
        self.model = model
        self._frames: asyncio.Queue[Frame | None] = asyncio.Queue()
        self._room = asyncio.Semaphore(1)
        self._error: BaseException | None = None
        self.results: AsyncGenerator[FrameResult, None] = client.stream(self._taken(), options)
        """What the server answers."""

    async def send(self, frame: Frame) -> None:
        """See :class:`ferserve.web.upstream.FrameStream`."""
        await self._room.acquire()
        self._frames.put_nowait(frame)

    def end(self, error: BaseException | None = None) -> None:
        """See :class:`ferserve.web.upstream.FrameStream`."""
        self._error = error
        self._frames.put_nowait(None)

    async def next(self) -> FrameResult | None:
        """See :class:`ferserve.web.upstream.FrameStream`."""
        result = await anext(self.results, None)
        if result is None and self._error is not None:
            raise self._error
        return result

    async def _taken(self) -> AsyncGenerator[Frame, None]:
        """Every frame that was sent, until the end."""
        while (frame := await self._frames.get()) is not None:
            self._room.release()
            yield frame
