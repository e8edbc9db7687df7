"""The RPCs of ``ferserve.v1.EmotionService``, each a few lines: convert, ask the engine, convert back."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from typing import TYPE_CHECKING, Any

import grpc

from ferserve.config import ServerConfig
from ferserve.errors import FerserveError
from ferserve.metrics import NO_METRICS, Metrics
from ferserve.server.bridge import LoopBridge
from ferserve.server.callers import caller_of
from ferserve.server.calls import ActiveCalls
from ferserve.server.client_limit import ClientLimit
from ferserve.server.emotion.loading import load_models
from ferserve.server.emotion.resume_tokens import ResumeTokens
from ferserve.server.emotion.stream import StreamSession
from ferserve.server.emotion.stream_log import outcome_of
from ferserve.server.logs import peer_name
from ferserve.server.tracing import CALL_TRACE
from ferserve.v1 import emotion_pb2 as pb
from ferserve.v1 import emotion_pb2_grpc
from ferserve.wire.frames import frame_from_proto
from ferserve.wire.metadata import INSTANCE_KEY, WORKER_KEY, as_dict
from ferserve.wire.models import answering_models, model_to_proto
from ferserve.wire.options import frame_options_from_proto
from ferserve.wire.results import result_to_proto

if TYPE_CHECKING:
    from ferserve.engine import Engine
    from ferserve.server.workers.placement import Placement

logger = logging.getLogger(__name__)

CONFIG_TIMEOUT_S = 1.0
"""How long a stream that is refused may take to send its config."""


class EmotionServicer(emotion_pb2_grpc.EmotionServiceServicer):
    """Answers calls through one engine. A :class:`ferserve.server.services.Service`."""

    name: str = pb.DESCRIPTOR.services_by_name["EmotionService"].full_name

    def __init__(
        self,
        engine: Engine,
        config: ServerConfig,
        metrics: Metrics = NO_METRICS,
        placement: Placement | None = None,
    ) -> None:
        """``metrics`` counts faults that never reach the engine; ``placement`` is a worker's."""
        self._engine = engine
        self._config = config
        self._metrics = metrics
        self._placement = placement
        index = placement.index if placement else 0
        self._instance = ((INSTANCE_KEY, f"{config.instance or _machine()}:{index}"),)
        self._limit = ClientLimit(
            "open streams", config.max_streams_per_client, "server.max_streams_per_client", "close one first"
        )
        self._calls = ActiveCalls()
        self._resume = ResumeTokens(config, metrics)

    def register(self, server: grpc.aio.Server) -> None:
        """See :meth:`ferserve.server.services.Service.register`."""
        self._bridge = LoopBridge(asyncio.get_running_loop())
        emotion_pb2_grpc.add_EmotionServiceServicer_to_server(self, server)  # type: ignore[no-untyped-call]

    async def drain(self, grace_s: float) -> None:
        """Let open streams answer the frames that they took, and end. See :class:`ferserve.server.services.Service`."""
        if self._placement is not None:
            self._placement.leave()
        logger.info("draining %s: calls in flight %d, grace %g s", self.name, len(self._calls), grace_s)
        await self._calls.drain(grace_s)

    async def Classify(self, request: pb.ClassifyRequest, context: Any) -> pb.ClassifyResponse:
        """Find and classify all faces of one image."""
        self._calls.track()
        context.set_trailing_metadata(self._instance)
        options = frame_options_from_proto(request.options)
        frame = frame_from_proto(request.frame, self._engine.config.max_faces, context.pixels)
        context.pixels.clear()
        del request  # the frame has its pixels; while it waits, once is enough
        await load_models(self._engine, options)
        result = await self._bridge.wrap(self._engine.submit(frame, options, caller_of(context)))
        if (trace := CALL_TRACE.get()) is not None:
            trace.frame(result)
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug("image from %s: %s", peer_name(context.peer()), outcome_of(result))
        return pb.ClassifyResponse(result=result_to_proto(result, answering_models(result)))

    async def ClassifyStream(self, request_iterator: Any, context: Any) -> None:
        """Answer live video frame by frame."""
        caller, pending = caller_of(context), self._config.max_pending_results
        session = StreamSession(self._engine, self._bridge, context, pending, self._metrics, caller, self._resume)
        self._calls.track(session.drain)
        with await self._admit(context):
            await session.run()

    async def _admit(self, context: Any) -> contextlib.ExitStack:
        """Count the stream until the returned context exits; raises the error that refuses it.

        A call that ends while its client is still writing looks like a broken connection to that client, so a refused
        one gets to send its config first.
        """
        with contextlib.ExitStack() as counted:
            try:
                counted.enter_context(self._limit.hold(caller_of(context).name))
                counted.enter_context(await self._place(context))
            except FerserveError:
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(context.read(), CONFIG_TIMEOUT_S)
                raise
            return counted.pop_all()

    async def _place(self, context: Any) -> contextlib.AbstractContextManager[None]:
        """Tell the client where it is, and count the stream among those of this worker, if there are several."""
        if self._placement is None:
            await context.send_initial_metadata(self._instance)
            return contextlib.nullcontext()
        await context.send_initial_metadata(((WORKER_KEY, str(self._placement.index)), *self._instance))
        return self._placement.hold(as_dict(context.invocation_metadata()), context.peer())

    async def ListModels(self, request: pb.ListModelsRequest, context: Any) -> pb.ListModelsResponse:
        """Describe every model."""
        self._calls.track()
        models = await asyncio.to_thread(self._engine.models)  # reads whole files, once
        return pb.ListModelsResponse(models=[model_to_proto(model) for model in models])

    async def GetModel(self, request: pb.GetModelRequest, context: Any) -> pb.Model:
        """Describe one model."""
        self._calls.track()
        return model_to_proto(await asyncio.to_thread(self._engine.model, request.name))


def _machine() -> str:
    """The name of this machine, as far as metadata can carry it."""
    return "".join(letter for letter in socket.gethostname() if "!" <= letter <= "~")
