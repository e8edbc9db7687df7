"""From a source of frames to results: opens the source, chooses what its kind suggests, runs the session."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import AsyncIterable, Callable, Iterable
from typing import TypeAlias

from ferserve.client.connector import StreamConnector
from ferserve.client.encoding import ArrayPacker
from ferserve.client.feed import Feed, open_feed
from ferserve.client.reconnecting_stream import ReconnectingStream
from ferserve.client.tasks import TaskTracker
from ferserve.options import Delivery, StreamOptions
from ferserve.sources.images import ImageLike
from ferserve.sources.source import VideoSource
from ferserve.types import Frame, FrameResult
from ferserve.v1 import emotion_pb2 as pb
from ferserve.wire.frames import frame_to_proto
from ferserve.wire.options import stream_options_to_proto

StreamSource: TypeAlias = "VideoSource | Iterable[ImageLike | Frame] | AsyncIterable[ImageLike | Frame]"


class StreamRun:
    """One call of a client's ``stream``. ``emit`` hears of every result, then once of None, in the event loop."""

    def __init__(
        self,
        tasks: TaskTracker,
        connector: StreamConnector,
        source: StreamSource,
        options: StreamOptions | None,
        packer: ArrayPacker,
        max_in_flight: int,
        emit: Callable[[FrameResult | None], None],
    ) -> None:
        self._tasks = tasks
        self._connector = connector
        self._source = source
        self._options = options
        self._packer = packer
        self._max_in_flight = max_in_flight
        self._emit = emit
        self._feed: Feed | None = None

    async def run(self) -> BaseException | None:
        """Until the source is at its end and every frame is answered.

        Returns what the source raised, for the caller to raise; raises what else ended the stream.
        """
        try:
            return await self._tasks.run(self._run())
        finally:
            self._emit(None)

    async def _run(self) -> BaseException | None:
        source, self._source = self._source, ()  # a generator that only we hold ends with its feed
        self._feed, live = await open_feed(source, self._prepare, self._max_in_flight)
        del source
        config = stream_options_to_proto(self._settled(live))
        return await ReconnectingStream(self._connector, self._feed, config, self._on_model, self._emit).run()

    def take(self) -> None:
        """The user took a result, so one frame more may be pulled. May be called from any thread."""
        if self._feed is not None:
            self._feed.release()

    def _settled(self, live: bool) -> StreamOptions:
        options = self._options or StreamOptions()
        return dataclasses.replace(
            options,
            delivery=options.delivery or (Delivery.LATEST if live else Delivery.EVERY),
            stream_id=options.stream_id or uuid.uuid4().hex,
        )

    def _prepare(self, frame: Frame) -> pb.ClassifyStreamRequest:
        packed = dataclasses.replace(frame, payload=self._packer(frame.payload))
        return pb.ClassifyStreamRequest(frame=frame_to_proto(packed))

    def _on_model(self, model: pb.Model) -> None:
        self._packer = dataclasses.replace(self._packer, luma=model.input_color == "luma")
