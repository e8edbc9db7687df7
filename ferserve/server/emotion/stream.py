"""One open stream: reads frames, answers them in order, and reads no faster than it may."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import grpc

from ferserve.config import ServerConfig
from ferserve.errors import InvalidFrameError, ModelNotReadyError, StreamProtocolError
from ferserve.metrics import NO_METRICS, Metrics
from ferserve.options import Delivery
from ferserve.scheduling.caller import WITHIN_PROCESS, Caller
from ferserve.server.emotion.loading import load_models
from ferserve.server.emotion.ordered_answers import OrderedAnswers
from ferserve.server.emotion.resume_tokens import ResumeTokens
from ferserve.server.emotion.stream_log import StreamLog
from ferserve.types import FrameFault, FrameResult, ModelDescription
from ferserve.v1 import emotion_pb2 as pb
from ferserve.wire.frames import frame_from_proto
from ferserve.wire.models import model_to_proto
from ferserve.wire.options import stream_options_from_proto, stream_options_to_proto
from ferserve.wire.results import result_to_proto

if TYPE_CHECKING:
    from ferserve.engine import Engine
    from ferserve.scheduling.stream import EngineStream
    from ferserve.server.bridge import LoopBridge

MAX_UNANSWERED_EVERY = 4
"""Frames of a ``Delivery.EVERY`` stream that are taken before the first of them is answered: enough to overlap the
decoding of one with the inference of another, few enough that the sender soon feels flow control."""


class StreamSession:
    """Serves one call of ``ClassifyStream``.

    A reader task submits frames; the caller's task writes the answers. Between them are :class:`OrderedAnswers` and a
    semaphore with one permit per frame that may be unanswered. Without a permit nothing is read, HTTP/2 flow control
    fills up, and the client has to wait. A cancelled call leaves no frame behind.
    """

    def __init__(
        self,
        engine: Engine,
        bridge: LoopBridge,
        context: Any,
        max_pending_results: int,
        metrics: Metrics = NO_METRICS,
        caller: Caller = WITHIN_PROCESS,
        resume: ResumeTokens | None = None,
    ) -> None:
        """``metrics`` counts frames that are answered without the engine; ``caller`` is whose share it uses;
        ``resume`` makes and reads resume tokens.
        """
        self._engine = engine
        self._context = context
        self._max_pending = max_pending_results
        self._metrics = metrics
        self._caller = caller
        self._resume = resume or ResumeTokens(ServerConfig())
        self._answers = OrderedAnswers(bridge)
        self._reader: asyncio.Future[Any] | None = None
        self._draining = False

    def drain(self) -> None:
        """Take no further frame, answer those taken, then end the stream: the client may reopen it elsewhere."""
        self._draining = True
        if self._reader is not None:
            self._reader.cancel()

    async def run(self) -> None:
        """Serve until the client half-closes and every frame is answered; raises the error that ends the stream."""
        config = await self._read_config()
        options = stream_options_from_proto(config)
        await load_models(self._engine, options.frame)
        handover = self._resume.read(config, self._caller)
        with self._engine.open_stream(options, self._caller, config.resume_token, handover) as stream:
            self._resume.attach(stream, self._caller)
            await self._context.write(pb.ClassifyStreamResponse(started=_started(stream)))
            log = StreamLog(self._context.peer(), stream)
            permits = asyncio.Semaphore(self._max_unanswered(stream.options.delivery))
            self._reader = asyncio.ensure_future(self._read_frames(stream, permits))
            self._reader.add_done_callback(self._on_reader_done)
            if self._draining:
                self._reader.cancel()
            try:
                await self._write_answers(stream, permits, log)
            finally:
                self._reader.cancel()
                log.closed()

    def _max_unanswered(self, delivery: Delivery | None) -> int:
        return min(MAX_UNANSWERED_EVERY, self._max_pending) if delivery is Delivery.EVERY else self._max_pending

    async def _read_config(self) -> pb.StreamConfig:
        if self._draining:
            raise _shutting_down()
        self._reader = asyncio.ensure_future(self._context.read())
        try:
            message = await self._reader
            self._context.pixels.clear()
        except asyncio.CancelledError:
            if self._draining:
                raise _shutting_down() from None
            raise
        if message is grpc.aio.EOF:
            raise StreamProtocolError("the first message must be a config, got the end of the stream")
        if message.WhichOneof("message") != "config":
            raise StreamProtocolError(
                f"the first message must be a config, got {_name(message)}; send a StreamConfig before the first frame"
            )
        config: pb.StreamConfig = message.config
        return config

    async def _read_frames(self, stream: EngineStream, permits: asyncio.Semaphore) -> None:
        """Submit frame after frame; the end of the stream, or the error that ends it, is queued behind the answers."""
        try:
            while True:
                await permits.acquire()
                message = await self._context.read()
                if message is grpc.aio.EOF:
                    self._answers.end()
                    return
                self._submit(stream, message)
        except Exception as error:
            self._answers.put(error)

    def _on_reader_done(self, reader: asyncio.Future[None]) -> None:
        """Queue the end of a drained stream: a reader that is cancelled before its first step cannot do so itself."""
        if reader.cancelled():
            self._answers.put(_shutting_down())

    def _submit(self, stream: EngineStream, message: pb.ClassifyStreamRequest) -> None:
        if message.WhichOneof("message") != "frame":
            raise StreamProtocolError(f"messages after the config must be frames, got {_name(message)}")
        try:
            frame = frame_from_proto(message.frame, self._engine.config.max_faces, self._context.pixels)
        except InvalidFrameError as error:
            stream.pass_over(message.frame.frame_id)
            answer = _fault(message.frame, error)
            self._metrics.frame_answered(answer)
            self._answers.put(answer)
        else:
            self._answers.reserve(partial(stream.send, frame))
        finally:
            self._context.pixels.clear()

    async def _write_answers(self, stream: EngineStream, permits: asyncio.Semaphore, log: StreamLog) -> None:
        while (answer := await self._answers.next()) is not None:
            if isinstance(answer, BaseException):
                raise answer
            result = result_to_proto(answer, _new_models(stream, answer))
            while stream.sealed and stream.sealed[0][0] <= answer.frame_id:
                result.resume_state = stream.sealed.popleft()[1]
            await self._context.write(pb.ClassifyStreamResponse(result=result))
            log.answered(answer)
            permits.release()


def _shutting_down() -> ModelNotReadyError:
    return ModelNotReadyError("server must be running, got shutting down; open the stream again to go on")


def _name(message: pb.ClassifyStreamRequest) -> str:
    return message.WhichOneof("message") or "an empty message"


def _started(stream: EngineStream) -> pb.StreamStarted:
    return pb.StreamStarted(
        model=model_to_proto(stream.models[0]),
        models=[model_to_proto(model) for model in stream.models],
        resumed=stream.resumed,
        last_frame_id=stream.last_frame_id,
        effective=stream_options_to_proto(stream.options),
        resume_token=stream.resume_key.token,
    )


def _new_models(stream: EngineStream, result: FrameResult) -> list[pb.Model]:
    """The models that answer from this result on, if they are others than before."""
    models: tuple[ModelDescription, ...] = ()
    while stream.changes and stream.changes[0][0] <= result.frame_id:
        models = stream.changes.popleft()[1]
    return [model_to_proto(model) for model in models]


def _fault(message: pb.Frame, error: InvalidFrameError) -> FrameResult:
    fault = FrameFault(error.kind, str(error))
    return FrameResult(message.frame_id, message.capture_time_ns, fault=fault)
