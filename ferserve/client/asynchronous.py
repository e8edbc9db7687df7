"""The client for asyncio."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Callable
from types import TracebackType
from typing import Any

import grpc
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferserve.client.channel import open_channel
from ferserve.client.connector import StreamConnector
from ferserve.client.encoding import ArrayPacker, Encoding, wants_jpeg
from ferserve.client.stream_run import StreamRun, StreamSource
from ferserve.client.tasks import TaskTracker, finish
from ferserve.config import NO_TLS, Tls
from ferserve.errors import InvalidFrameError
from ferserve.options import FrameOptions, StreamOptions, require_range
from ferserve.sources.images import ImageLike, payload_of
from ferserve.types import Frame, FrameResult, ModelDescription
from ferserve.v1 import emotion_pb2 as pb
from ferserve.v1 import emotion_pb2_grpc
from ferserve.wire.frames import frame_to_proto
from ferserve.wire.models import model_from_proto
from ferserve.wire.options import frame_options_to_proto
from ferserve.wire.results import result_from_proto
from ferserve.wire.status import error_from_rpc

DEFAULT_TARGET = "127.0.0.1:50051"


class AsyncClient:
    """Talks to one server. Use it as an asynchronous context manager, within one event loop."""

    def __init__(
        self,
        target: str = DEFAULT_TARGET,
        *,
        timeout_s: float = 10.0,
        reconnect_s: float = 30.0,
        encoding: Encoding = "auto",
        jpeg_quality: int = 90,
        max_in_flight: int = 8,
        tls: Tls = NO_TLS,
    ) -> None:
        """``target`` is HOST:PORT, or unix:PATH for a server on a Unix domain socket.

        ``timeout_s``: how long a single call may take, ``math.inf`` for as long as it takes. ``reconnect_s``: how long
        a stream tries to come back after its connection broke; 0 for not at all. ``encoding``: how arrays travel,
        ``raw``, ``jpeg`` (of ``jpeg_quality``, 1 to 100) or ``auto``, which is raw to a server on this machine and JPEG
        to any other; images that come as bytes or payloads travel as they are. ``max_in_flight``: frames of a stream
        that are pulled before the result of the first of them has been taken. ``tls``: for a server with a certificate,
        such as ``Tls(ca="ca.pem")``; it must be one for the host that ``target`` names.

        Raises :class:`ConfigError` for a ``target`` that is no address and for files of ``tls`` that are not what they
        should be, :class:`InvalidOptionsError` for an unknown ``encoding`` or a number out of range. Nothing is
        connected yet.
        """
        require_range("timeout_s", timeout_s, 0, math.inf, " s")
        require_range("reconnect_s", reconnect_s, 0, math.inf, " s")
        require_range("jpeg_quality", jpeg_quality, 1, 100)
        require_range("max_in_flight", max_in_flight, 1, 65_536, " frames")
        self.target = target
        self._timeout_s = timeout_s
        self._reconnect_s = reconnect_s
        self._packer = ArrayPacker(jpeg=wants_jpeg(encoding, target), luma=False, quality=jpeg_quality)
        self._max_in_flight = max_in_flight
        self._models: dict[str, ModelDescription] = {}
        self._tls = tls
        self._tasks = TaskTracker()
        self._channel = open_channel(target, tls)
        self._stub = emotion_pb2_grpc.EmotionServiceStub(self._channel)  # type: ignore[no-untyped-call]

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End all calls, all streams and the connection; whoever waits for one hears of it by a FerserveError."""
        await self._tasks.close()
        await self._channel.close()

    async def classify(
        self,
        image: ImageLike,
        boxes: ArrayLike | None = None,
        *,
        options: FrameOptions | None = None,
        timeout_s: float | None = None,
    ) -> FrameResult:
        """All faces of one image: uint8 (H, W) luma or (H, W, 3) BGR, the bytes or the path of an image file, a
        :class:`RawImage`, an :class:`EncodedImage` or :class:`Crops`.

        ``boxes`` (N, 4) as (x0, y0, x1, y1) px skips detection: one face a box, in the same order. Raises
        :class:`InvalidFrameError`, :class:`ModelNotFoundError`, :class:`OverloadedError`,
        :class:`FrameDeadlineError` (no answer in time), :class:`ServerUnavailableError`, and OSError for a path that
        cannot be read.
        """
        frame = Frame(0, self._packer(payload_of(image)), boxes=_boxes(boxes))
        request = pb.ClassifyRequest(
            frame=frame_to_proto(frame),
            options=frame_options_to_proto(options or FrameOptions()),
        )
        response = await self._call(self._stub.Classify, request, timeout_s)
        model = await self._described(response.result.model_name, response.result.model_version, timeout_s)
        return result_from_proto(response.result, dict(model.heads))

    async def stream(
        self,
        frames: StreamSource,
        options: StreamOptions | None = None,
    ) -> AsyncGenerator[FrameResult, None]:
        """Results of ``frames``, one for each and in their order.

        ``frames`` is a camera's index, the path or URL of a video, or an iterable, asynchronous or not, of what
        :meth:`classify` takes or of :class:`Frame`. It is pulled only as fast as results are taken; a blocking one is
        pulled in a thread, an asynchronous generator is closed with its stream. Unless ``options.delivery``
        says otherwise, a live source is answered with :attr:`Delivery.LATEST` and anything else with
        :attr:`Delivery.EVERY`. A broken connection is
        reopened and what was not answered is sent again.

        A frame that cannot be read is a result with a ``fault``. Raises what ends the stream:
        :class:`ConfigError` (no such source), :class:`ModelNotFoundError`, :class:`InvalidOptionsError`,
        :class:`StreamProtocolError`, :class:`OverloadedError` (too many streams), :class:`ServerUnavailableError`,
        and whatever the iterable raises.
        """
        results: asyncio.Queue[FrameResult | None] = asyncio.Queue()
        run = self.start_stream(frames, options, results.put_nowait)
        task = asyncio.ensure_future(run.run())
        try:
            while (result := await results.get()) is not None:
                run.take()
                yield result
            error = await task
        finally:
            await finish(task)
        if error is not None:
            raise error

    def start_stream(
        self, frames: StreamSource, options: StreamOptions | None, emit: Callable[[FrameResult | None], None]
    ) -> StreamRun:
        """What :meth:`stream` is made of, for those who bring their own queue."""
        connector = StreamConnector(self._channel, self.target, self._reconnect_s, self._tls)
        return StreamRun(self._tasks, connector, frames, options, self._packer, self._max_in_flight, emit)

    async def models(self, *, timeout_s: float | None = None) -> list[ModelDescription]:
        """The models of the server, by name."""
        response = await self._call(self._stub.ListModels, pb.ListModelsRequest(), timeout_s)
        return [model_from_proto(model) for model in response.models]

    async def model(self, name: str = "", *, timeout_s: float | None = None) -> ModelDescription:
        """One model, the default one for an empty name; raises :class:`ModelNotFoundError`."""
        response = await self._call(self._stub.GetModel, pb.GetModelRequest(name=name), timeout_s)
        return model_from_proto(response)

    async def _call(self, method: Any, request: Any, timeout_s: float | None) -> Any:
        timeout_s = self._timeout_s if timeout_s is None else timeout_s
        try:
            return await self._tasks.run(_answer(method, request, timeout_s))
        except grpc.aio.AioRpcError as rpc:
            raise error_from_rpc(rpc, self.target, timeout_s) from None

    async def _described(self, name: str, version: str, timeout_s: float | None) -> ModelDescription:
        """The model of a result; asked for once."""
        known = self._models.get(name)
        if known is None or known.version != version:
            known = self._models[name] = await self.model(name, timeout_s=timeout_s)
        return known


async def _answer(method: Any, request: Any, timeout_s: float) -> Any:
    return await method(request, timeout=None if timeout_s == math.inf else timeout_s)


def _boxes(boxes: ArrayLike | None) -> NDArray[np.float32] | None:
    if boxes is None:
        return None
    try:
        made = np.asarray(boxes, np.float32)
    except (TypeError, ValueError):
        raise InvalidFrameError(f"boxes must be numbers (N, 4) as (x0, y0, x1, y1) px, got {boxes!r}") from None
    if made.size and (made.ndim != 2 or made.shape[1] != 4):
        raise InvalidFrameError(f"boxes must be (N, 4) as (x0, y0, x1, y1) px, got shape {made.shape}")
    return made.reshape(-1, 4)
