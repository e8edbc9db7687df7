"""An engine in this process behind the page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from ferserve.config import ServerConfig
from ferserve.engine import Engine
from ferserve.options import Delivery, FrameOptions, StreamOptions
from ferserve.scheduling.caller import Caller
from ferserve.scheduling.stream import EngineStream
from ferserve.server.bridge import LoopBridge
from ferserve.server.emotion.loading import load_models
from ferserve.server.emotion.ordered_answers import OrderedAnswers
from ferserve.server.emotion.stream import MAX_UNANSWERED_EVERY
from ferserve.types import EncodedImage, Frame, FrameResult, ModelDescription


class EngineUpstream:
    """Asks ``engine``, which it does not own. An :class:`ferserve.web.upstream.Upstream`."""

    def __init__(self, engine: Engine, config: ServerConfig) -> None:
        self._engine = engine
        self._max_pending = config.max_pending_results
        self._made_bridge: LoopBridge | None = None

    @property
    def _bridge(self) -> LoopBridge:
        if self._made_bridge is None:  # the application is made before its loop runs
            self._made_bridge = LoopBridge(asyncio.get_running_loop())
        return self._made_bridge

    async def classify(self, picture: bytes, options: FrameOptions, caller: Caller) -> FrameResult:
        """See :class:`ferserve.web.upstream.Upstream`."""
        await load_models(self._engine, options)
        return await self._bridge.wrap(self._engine.submit(Frame(0, EncodedImage(picture)), options, caller))

    async def models(self) -> list[ModelDescription]:
        """See :class:`ferserve.web.upstream.Upstream`."""
        return await asyncio.to_thread(self._engine.models)  # reads whole files, once

    @asynccontextmanager
    async def stream(
        self, options: StreamOptions, caller: Caller, resume_token: bytes
    ) -> AsyncIterator[EngineFrameStream]:
        """See :class:`ferserve.web.upstream.Upstream`."""
        await load_models(self._engine, options.frame)
        with self._engine.open_stream(options, caller, resume_token) as stream:
            every = stream.options.delivery is Delivery.EVERY
            unanswered = min(MAX_UNANSWERED_EVERY, self._max_pending) if every else self._max_pending
            yield EngineFrameStream(stream, OrderedAnswers(self._bridge), unanswered)


class EngineFrameStream:
    """A stream of the engine. An :class:`ferserve.web.upstream.FrameStream`."""

    def __init__(self, stream: EngineStream, answers: OrderedAnswers, max_unanswered: int) -> None:
        self.model = stream.models[0]
        self.resumed = stream.resumed
        self.resume_token = stream.resume_key.token
        self._stream = stream
        self._answers = answers
        self._permits = asyncio.Semaphore(max_unanswered)

    async def send(self, frame: Frame) -> None:
        """See :class:`ferserve.web.upstream.FrameStream`."""
        await self._permits.acquire()
        self._answers.reserve(partial(self._stream.send, frame))

    def end(self, error: BaseException | None = None) -> None:
        """See :class:`ferserve.web.upstream.FrameStream`."""
        if error is None:
            self._answers.end()
        else:
            self._answers.put(error)

    async def next(self) -> FrameResult | None:
        """See :class:`ferserve.web.upstream.FrameStream`."""
        answer = await self._answers.next()
        if isinstance(answer, BaseException):
            raise answer
        self._permits.release()
        return answer
