"""The channel, the calls and the streams of one client, within one event loop."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc

from ferserve.client.boxes import BoxesLike, boxes_array
from ferserve.client.channel import open_channel
from ferserve.client.connector import StreamConnector
from ferserve.client.encoding import MAX_RAW_BYTES, ArrayPacker, Encoding, wants_jpeg
from ferserve.client.fork import ProcessGuard
from ferserve.client.stream_run import StreamRun, StreamSource
from ferserve.client.tasks import TaskTracker
from ferserve.config import NO_TLS, Tls
from ferserve.options import FrameOptions, StreamOptions, require_range
from ferserve.sources.images import Color, ImageLike, payload_of
from ferserve.sources.iterables import FrameMaker
from ferserve.types import Frame, FrameResult, ModelDescription
from ferserve.v1 import emotion_pb2 as pb
from ferserve.v1 import emotion_pb2_grpc
from ferserve.wire.frames import frame_to_proto
from ferserve.wire.models import model_from_proto
from ferserve.wire.options import frame_options_to_proto
from ferserve.wire.results import result_from_proto
from ferserve.wire.status import error_from_rpc

DEFAULT_TARGET = "127.0.0.1:50051"


@dataclass(frozen=True)
class ConnectionSettings:
    """What the constructors of the clients take; :class:`ferserve.Client` documents each field."""

    target: str = DEFAULT_TARGET
    timeout_s: float = 10.0
    reconnect_s: float = 30.0
    encoding: Encoding = "auto"
    jpeg_quality: int = 90
    max_in_flight: int = 8
    tls: Tls = NO_TLS

    def __post_init__(self) -> None:
        require_range("timeout_s", self.timeout_s, 0, math.inf, " s")
        require_range("reconnect_s", self.reconnect_s, 0, math.inf, " s")
        require_range("jpeg_quality", self.jpeg_quality, 1, 100)
        require_range("max_in_flight", self.max_in_flight, 1, 65_536, " frames")


class Connection:
    """What :class:`ferserve.Client` and :class:`ferserve.AsyncClient` share. Connects with its first call."""

    def __init__(self, settings: ConnectionSettings) -> None:
        """Raises :class:`ConfigError` and :class:`InvalidOptionsError`."""
        self._settings = settings
        jpeg = wants_jpeg(settings.encoding, settings.target)
        max_raw_bytes = math.inf if settings.encoding == "raw" else MAX_RAW_BYTES
        self._packer = ArrayPacker(jpeg, luma=False, quality=settings.jpeg_quality, max_raw_bytes=max_raw_bytes)
        self._models: dict[str, ModelDescription] = {}
        self._process = ProcessGuard()
        self._tasks = TaskTracker(self._process)
        self._channel: grpc.aio.Channel | None = None
        if not self._process.is_foreign:  # if it is, every call says so
            self._channel = open_channel(settings.target, settings.tls)

    async def close(self) -> None:
        """End all calls and streams with an error of ours, then the channel."""
        if self._process.is_foreign:
            return
        await self._tasks.close()
        if self._channel is not None:
            await self._channel.close()

    async def classify(
        self,
        image: ImageLike,
        boxes: BoxesLike | None,
        options: FrameOptions | None,
        timeout_s: float | None,
        color: Color,
    ) -> FrameResult:
        """One ``Classify`` call."""
        frame = Frame(0, self._packer(payload_of(image, color)), boxes=boxes_array(boxes))
        request = pb.ClassifyRequest(
            frame=frame_to_proto(frame),
            options=frame_options_to_proto(options or FrameOptions()),
        )
        response = await self._call("Classify", request, timeout_s)
        model = await self._described(response.result.model_name, response.result.model_version, timeout_s)
        return result_from_proto(response.result, dict(model.heads))

    def start_stream(
        self,
        frames: StreamSource,
        maker: FrameMaker,
        options: StreamOptions | None,
        emit: Callable[[FrameResult | None], None],
    ) -> StreamRun:
        """One ``stream`` of a client; :meth:`StreamRun.run` hands its results to ``emit``."""
        settings = self._settings
        connector = StreamConnector(self._channel, settings.target, settings.reconnect_s, settings.tls)
        return StreamRun(self._tasks, connector, frames, maker, options, self._packer, settings.max_in_flight, emit)

    async def models(self, timeout_s: float | None) -> list[ModelDescription]:
        """One ``ListModels`` call."""
        response = await self._call("ListModels", pb.ListModelsRequest(), timeout_s)
        return [model_from_proto(model) for model in response.models]

    async def model(self, name: str, timeout_s: float | None) -> ModelDescription:
        """One ``GetModel`` call."""
        response = await self._call("GetModel", pb.GetModelRequest(name=name), timeout_s)
        return model_from_proto(response)

    async def _call(self, method: str, request: Any, timeout_s: float | None) -> Any:
        timeout_s = self._settings.timeout_s if timeout_s is None else timeout_s
        try:
            return await self._tasks.run(self._answer(method, request, timeout_s))
        except grpc.aio.AioRpcError as rpc:
            raise error_from_rpc(rpc, self._settings.target, timeout_s) from None

    async def _answer(self, method: str, request: Any, timeout_s: float) -> Any:
        stub = emotion_pb2_grpc.EmotionServiceStub(self._channel)  # type: ignore[no-untyped-call]
        return await getattr(stub, method)(request, timeout=None if timeout_s == math.inf else timeout_s)

    async def _described(self, name: str, version: str, timeout_s: float | None) -> ModelDescription:
        """The model behind a result, asked for once."""
        known = self._models.get(name)
        if known is None or known.version != version:
            known = self._models[name] = await self.model(name, timeout_s)
        return known
