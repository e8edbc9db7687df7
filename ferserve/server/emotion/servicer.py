"""The RPCs of ``ferserve.v1.EmotionService``, each a few lines: convert, ask the engine, convert back."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from ferserve.config import ServerConfig
from ferserve.errors import FerserveError
from ferserve.server.emotion.limits import StreamLimit
from ferserve.server.emotion.stream import StreamSession
from ferserve.v1 import emotion_pb2 as pb
from ferserve.v1 import emotion_pb2_grpc
from ferserve.wire.frames import frame_from_proto
from ferserve.wire.metadata import WORKER_KEY, as_dict
from ferserve.wire.models import model_to_proto
from ferserve.wire.options import frame_options_from_proto
from ferserve.wire.results import result_to_proto

if TYPE_CHECKING:
    from ferserve.engine import Engine
    from ferserve.server.bridge import LoopBridge
    from ferserve.server.workers.placement import Placement


CONFIG_S = 1.0
"""How long a stream that is kept out may take to send its config."""


class EmotionServicer(emotion_pb2_grpc.EmotionServiceServicer):
    """Answers calls through one engine; errors are left to the interceptor."""

    def __init__(
        self, engine: Engine, bridge: LoopBridge, config: ServerConfig, placement: Placement | None = None
    ) -> None:
        self._engine = engine
        self._bridge = bridge
        self._config = config
        self._placement = placement
        self._limit = StreamLimit(config.max_streams_per_client)
        self._sessions: set[StreamSession] = set()
        self._calls: set[asyncio.Task[Any]] = set()
        self._draining = False

    async def drain(self, grace_s: float) -> None:
        """Let open streams answer the frames that they took, and end; wait for every call, ``grace_s`` at most."""
        self._draining = True
        for session in self._sessions:
            session.drain()
        if grace_s and self._calls:
            await asyncio.wait(self._calls, timeout=grace_s)

    async def Classify(self, request: pb.ClassifyRequest, context: Any) -> pb.ClassifyResponse:
        """One image, all its faces."""
        self._track_call()
        options = frame_options_from_proto(request.options)
        frame = frame_from_proto(request.frame, self._engine.config.max_faces)
        if not self._engine.is_loaded(options.model):
            await asyncio.to_thread(self._engine.load, options.model)
        result = await self._bridge.wrap(self._engine.submit(frame, options))
        return pb.ClassifyResponse(result=result_to_proto(result))

    async def ClassifyStream(self, request_iterator: Any, context: Any) -> None:
        """Live video."""
        self._track_call()
        with await self._admitted(context):
            session = StreamSession(self._engine, self._bridge, context, self._config.max_pending_results)
            if self._draining:
                session.drain()
            self._sessions.add(session)
            try:
                await session.run()
            finally:
                self._sessions.discard(session)

    async def _admitted(self, context: Any) -> contextlib.ExitStack:
        """Counts the stream while open; raises what keeps it out.

        A call that ends while its client is still writing looks to that client like a broken connection, so whoever is
        kept out gets to send the config first.
        """
        with contextlib.ExitStack() as counted:
            try:
                counted.enter_context(self._limit.hold(context.peer()))
                counted.enter_context(await self._placed(context))
            except FerserveError:
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(context.read(), CONFIG_S)
                raise
            return counted.pop_all()

    async def _placed(self, context: Any) -> contextlib.AbstractContextManager[None]:
        """Counts the stream among those of this worker, where there are several, and tells the client which it is."""
        if self._placement is None:
            return contextlib.nullcontext()
        await context.send_initial_metadata(((WORKER_KEY, str(self._placement.index)),))
        return self._placement.hold(as_dict(context.invocation_metadata()))

    async def ListModels(self, request: pb.ListModelsRequest, context: Any) -> pb.ListModelsResponse:
        """Every model."""
        models = await asyncio.to_thread(self._engine.models)  # reads whole files, once
        return pb.ListModelsResponse(models=[model_to_proto(model) for model in models])

    async def GetModel(self, request: pb.GetModelRequest, context: Any) -> pb.Model:
        """One model by name."""
        return model_to_proto(await asyncio.to_thread(self._engine.model, request.name))

    def _track_call(self) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)
