"""One call of a client's ``stream``: opens the source, settles the options, runs the stream."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import AsyncIterable, Callable, Iterable, Sequence
from typing import TypeAlias

from ferserve.client.connector import StreamConnector
from ferserve.client.encoding import ArrayPacker
from ferserve.client.feed import Feed, open_feed
from ferserve.client.reconnecting_stream import ReconnectingStream
from ferserve.client.tasks import TaskTracker
from ferserve.options import Delivery, StreamOptions
from ferserve.sources.iterables import FrameMaker, StreamItem
from ferserve.sources.source import VideoSource
from ferserve.types import Frame, FrameResult
from ferserve.v1 import emotion_pb2 as pb
from ferserve.wire.frames import frame_to_proto
from ferserve.wire.options import stream_options_to_proto

StreamSource: TypeAlias = VideoSource | Iterable[StreamItem] | AsyncIterable[StreamItem]
"""A camera's index, the path or URL of a video, or an iterable of images, asynchronous or not."""


class StreamRun:
    """One call of a client's ``stream``; ``emit`` is called in the event loop with each result, then with None."""

    def __init__(
        self,
        tasks: TaskTracker,
        connector: StreamConnector,
        source: StreamSource,
        maker: FrameMaker,
        options: StreamOptions | None,
        packer: ArrayPacker,
        max_in_flight: int,
        emit: Callable[[FrameResult | None], None],
    ) -> None:
        self._tasks = tasks
        self._connector = connector
        self._source = source
        self._maker = maker
        self._options = options
        self._packer = packer
        self._max_in_flight = max_in_flight
        self._emit = emit
        self._feed: Feed | None = None

    async def run(self) -> BaseException | None:
        """Run until the source has ended and every frame is answered.

        Returns the source's error, for the caller to raise; raises any other that ended the stream.
        """
        try:
            return await self._tasks.run(self._run())
        finally:
            self._emit(None)

    async def _run(self) -> BaseException | None:
        source, self._source = self._source, ()  # held by the feed alone, a generator ends with it
        self._feed, live = await open_feed(source, self._maker, self._prepare, self._max_in_flight)
        del source
        options = settled_options(self._options, live)
        if not options.stream_id:  # so that the server knows the stream again after a broken connection
            options = dataclasses.replace(options, stream_id=uuid.uuid4().hex)
        config = stream_options_to_proto(options)
        return await ReconnectingStream(self._connector, self._feed, config, self._on_models, self._emit).run()

    def take(self) -> None:
        """Let one more frame be pulled, because the user took a result; any thread may call it."""
        if self._feed is not None:
            self._feed.release()

    def _prepare(self, frame: Frame | FrameResult) -> pb.ClassifyStreamRequest | FrameResult:
        if isinstance(frame, FrameResult):
            return frame
        packed = dataclasses.replace(frame, payload=self._packer(frame.payload))
        return pb.ClassifyStreamRequest(frame=frame_to_proto(packed))

    def _on_models(self, models: Sequence[pb.Model]) -> None:
        luma = all(model.input_color == "luma" for model in models)
        self._packer = dataclasses.replace(self._packer, luma=luma)


def settled_options(options: StreamOptions | None, live: bool) -> StreamOptions:
    """``options`` with a delivery: a live source skips late frames, any other is answered frame by frame."""
    options = options or StreamOptions()
    delivery = options.delivery or (Delivery.LATEST if live else Delivery.EVERY)
    return dataclasses.replace(options, delivery=delivery)
