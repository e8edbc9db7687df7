"""The channel, the calls and the streams of one client, within one event loop."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc

from ferserve.client.boxes import BoxesLike, boxes_array
from ferserve.client.connector import StreamConnector
from ferserve.client.deadline import Deadline
from ferserve.client.encoding import MAX_RAW_BYTES, ArrayPacker, Encoding, wants_jpeg
from ferserve.client.fork import GrpcProcess
from ferserve.client.payload import start_payload, unread
from ferserve.client.servers import Servers, targets_of
from ferserve.client.stream_run import StreamRun, StreamSource
from ferserve.client.tasks import TaskTracker
from ferserve.client.token import settled_token
from ferserve.config import NO_TLS, Tls
from ferserve.options import FrameOptions, StreamOptions, require_range
from ferserve.sources.images import Color, ImageLike
from ferserve.sources.iterables import FrameMaker
from ferserve.types import Frame, FrameResult, ModelDescription, Payload
from ferserve.v1 import emotion_pb2 as pb
from ferserve.v1 import emotion_pb2_grpc
from ferserve.wire.frames import frame_to_proto
from ferserve.wire.metadata import authorization
from ferserve.wire.models import labels_by_head, model_from_proto
from ferserve.wire.options import frame_options_to_proto
from ferserve.wire.results import result_from_proto
from ferserve.wire.status import error_from_rpc, is_broken_connection
from ferserve.wire.tls import check_files

DEFAULT_TARGET = "127.0.0.1:50051"


@dataclass(frozen=True)
class ConnectionSettings:
    """What the constructors of the clients take; :class:`ferserve.Client` documents each field.

    Raises :class:`ConfigError` and :class:`InvalidOptionsError`.
    """

    target: str | Sequence[str] = DEFAULT_TARGET
    timeout_s: float = 10.0
    reconnect_s: float = 30.0
    encoding: Encoding = "auto"
    jpeg_quality: int = 90
    max_in_flight: int = 8
    tls: Tls = NO_TLS
    token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        require_range("timeout_s", self.timeout_s, 0, math.inf, " s")
        require_range("reconnect_s", self.reconnect_s, 0, math.inf, " s")
        require_range("jpeg_quality", self.jpeg_quality, 1, 100)
        require_range("max_in_flight", self.max_in_flight, 1, 65_536, " frames")
        check_files(self.tls)
        for target in self.targets:
            wants_jpeg(self.encoding, target)
            object.__setattr__(self, "token", settled_token(self.token, target, self.tls))

    @property
    def targets(self) -> tuple[str, ...]:
        """The addresses in ``target``."""
        return targets_of(self.target)

    @property
    def shown_target(self) -> str:
        """``target`` as one text."""
        return self.target if isinstance(self.target, str) else ",".join(self.target)


class Connection:
    """What :class:`ferserve.Client` and :class:`ferserve.AsyncClient` share. Connects with its first call."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self._settings = settings
        self._servers = Servers(settings.targets, settings.tls)
        jpeg = any(wants_jpeg(settings.encoding, target) for target in settings.targets)
        max_raw_bytes = math.inf if settings.encoding == "raw" else MAX_RAW_BYTES
        self._packer = ArrayPacker(jpeg, luma=False, quality=settings.jpeg_quality, max_raw_bytes=max_raw_bytes)
        self.process = GrpcProcess()
        self._tasks = TaskTracker(self.process)

    async def close(self) -> None:
        """End all calls and streams with an error of ours, then the channel."""
        if self.process.is_foreign:
            return
        await self._tasks.close()
        await self._servers.aclose()

    async def classify(
        self,
        image: ImageLike,
        boxes: BoxesLike | None,
        options: FrameOptions | None,
        timeout_s: float | None,
        color: Color,
    ) -> FrameResult:
        """One ``Classify`` call."""
        deadline = self.deadline(timeout_s)
        payload = await self._payload(image, color, deadline)
        frame = Frame(0, self._packer(payload), boxes=boxes_array(boxes))
        request = pb.ClassifyRequest(
            frame=frame_to_proto(frame),
            options=frame_options_to_proto(options or FrameOptions()),
        )
        response = await self._call("Classify", request, deadline)
        labels = labels_by_head(response.result.models)
        if not labels and response.result.faces.faces:  # an older server
            labels = dict((await self._model(response.result.model_name, deadline)).heads)
        return result_from_proto(response.result, labels)

    def start_stream(
        self,
        frames: StreamSource,
        maker: FrameMaker,
        options: StreamOptions | None,
        emit: Callable[[FrameResult | None], None],
    ) -> StreamRun:
        """One ``stream`` of a client; :meth:`StreamRun.run` hands its results to ``emit``."""
        settings = self._settings
        connector = StreamConnector(self._servers, settings.reconnect_s, settings.tls, settings.token or "")
        return StreamRun(self._tasks, connector, frames, maker, options, self._packer, settings.max_in_flight, emit)

    async def models(self, timeout_s: float | None) -> list[ModelDescription]:
        """One ``ListModels`` call."""
        response = await self._call("ListModels", pb.ListModelsRequest(), self.deadline(timeout_s))
        return [model_from_proto(model) for model in response.models]

    async def model(self, name: str, timeout_s: float | None) -> ModelDescription:
        """One ``GetModel`` call."""
        return await self._model(name, self.deadline(timeout_s))

    def deadline(self, timeout_s: float | None) -> Deadline:
        """That of a call which begins now; None takes the client's timeout."""
        return Deadline(self._settings.timeout_s if timeout_s is None else timeout_s)

    async def _payload(self, image: ImageLike, color: Color, deadline: Deadline) -> Payload:
        made = start_payload(image, color)
        if made.done():
            return made.result()
        try:
            return await asyncio.wait_for(asyncio.wrap_future(made), deadline.left_s())
        except asyncio.TimeoutError:
            raise unread(image, deadline) from None

    async def _model(self, name: str, deadline: Deadline) -> ModelDescription:
        return model_from_proto(await self._call("GetModel", pb.GetModelRequest(name=name), deadline))

    async def _call(self, method: str, request: Any, deadline: Deadline) -> Any:
        try:
            return await self._tasks.run(self._answer(method, request, deadline))
        except grpc.aio.AioRpcError as rpc:
            raise error_from_rpc(rpc, self._servers.name, deadline.timeout_s) from None

    async def _answer(self, method: str, request: Any, deadline: Deadline) -> Any:
        """Of the first of the servers that is there."""
        target, *others = self._servers.for_call()
        while True:
            try:
                return await self._ask(target, method, request, deadline)
            except grpc.aio.AioRpcError as rpc:
                if not (others and is_broken_connection(rpc)):
                    raise
            target = others.pop(0)

    async def _ask(self, target: str, method: str, request: Any, deadline: Deadline) -> Any:
        stub = emotion_pb2_grpc.EmotionServiceStub(self._servers.channel(target))  # type: ignore[no-untyped-call]
        return await getattr(stub, method)(
            request, timeout=deadline.left_s(), metadata=authorization(self._settings.token or "")
        )
