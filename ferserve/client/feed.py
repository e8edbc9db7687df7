"""Pulls frames from the user's iterable, as many as may be unanswered at a time, and hands them to the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Iterator
from concurrent.futures import Future
from functools import partial
from itertools import count
from typing import Protocol

from ferserve.client.tasks import finish
from ferserve.sources.iterables import FrameMaker, StreamItem
from ferserve.sources.source import FrameSource, VideoSource, open_source
from ferserve.sources.threads import start_feed_thread
from ferserve.types import Frame, FrameResult
from ferserve.v1 import emotion_pb2 as pb

Prepare = Callable[[Frame | FrameResult], pb.ClassifyStreamRequest | FrameResult]
"""Makes the message of a frame. The fault of a frame that could not be read passes through."""
OnFrame = Callable[[pb.ClassifyStreamRequest | FrameResult], None]
OnEnd = Callable[["BaseException | None"], None]
"""Called once, after the last frame, with what the iterable raised."""


class Feed(Protocol):
    """Frames that are pulled and made into messages one by one, each when a slot for it is free."""

    def start(self, on_frame: OnFrame, on_end: OnEnd) -> None:
        """Begin; both callables are called in the running loop."""

    def release(self) -> None:
        """A frame was answered and its answer taken: one more may be pulled. May be called from any thread."""

    async def close(self) -> None:
        """Pull no further, and wait until the source is closed unless it is one that may block."""


class ThreadFeed:
    """Pulls from a blocking iterator in a thread of its own, so that a slow camera never stops the loop."""

    def __init__(self, source: FrameSource, prepare: Prepare, slots: int) -> None:
        self._frames = source.frames
        self._stop_source = source.stop
        self._prepare = prepare
        self._slots = threading.Semaphore(slots)
        self._closed = False

    def start(self, on_frame: OnFrame, on_end: OnEnd) -> None:
        """See :class:`Feed`."""
        loop = asyncio.get_running_loop()
        start_feed_thread(partial(self._pull, loop, on_frame, on_end), self._stop)

    def release(self) -> None:
        """See :class:`Feed`."""
        self._slots.release()

    async def close(self) -> None:
        """See :class:`Feed`."""
        self._stop()

    def _stop(self) -> None:
        self._closed = True
        self._slots.release()
        self._stop_source()

    def _pull(self, loop: asyncio.AbstractEventLoop, on_frame: OnFrame, on_end: OnEnd) -> None:
        error: BaseException | None = None
        try:
            while self._slots.acquire() and not self._closed:
                frame = next(self._frames, None)
                if frame is None or self._closed:
                    break
                _call_soon(loop, on_frame, self._prepare(frame))
        except BaseException as raised:  # the caller gets every error of its iterator
            error = raised
        finally:
            close = getattr(self._frames, "close", None)
            if close is not None:
                close()
        _call_soon(loop, on_end, error)


class TaskFeed:
    """Pulls from an asynchronous generator in a task, and closes it."""

    def __init__(self, frames: AsyncGenerator[Frame | FrameResult, None], prepare: Prepare, slots: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._frames = frames
        self._prepare = prepare
        self._slots = asyncio.Semaphore(slots)
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def start(self, on_frame: OnFrame, on_end: OnEnd) -> None:
        """See :class:`Feed`."""
        self._task = asyncio.ensure_future(self._pull(on_frame, on_end))

    def release(self) -> None:
        """See :class:`Feed`."""
        _call_soon(self._loop, self._slots.release)

    async def close(self) -> None:
        """See :class:`Feed`."""
        self._closed = True
        if self._task is not None:
            await finish(self._task)

    async def _pull(self, on_frame: OnFrame, on_end: OnEnd) -> None:
        error: BaseException | None = None
        try:
            async with contextlib.aclosing(self._frames) as frames:
                await self._slots.acquire()
                async for frame in frames:
                    if self._closed:
                        break
                    on_frame(self._prepare(frame))
                    await self._slots.acquire()
        except BaseException as raised:  # the caller gets every error of its iterator
            if self._closed:
                raise
            error = raised
        on_end(error)


def _call_soon(loop: asyncio.AbstractEventLoop, callback: Callable[..., None], *arguments: object) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed: the client is gone
        loop.call_soon_threadsafe(callback, *arguments)


async def open_feed(
    source: VideoSource | Iterable[StreamItem] | AsyncIterable[StreamItem],
    maker: FrameMaker,
    prepare: Prepare,
    slots: int,
) -> tuple[Feed, bool]:
    """A feed of ``source``, and whether it is live; raises as :func:`ferserve.sources.source.open_source` does."""
    if isinstance(source, AsyncIterable):
        return TaskFeed(async_frames(source, maker), prepare, slots), False
    opened = await asyncio.wrap_future(start_opening(source, maker))
    return ThreadFeed(opened, prepare, slots), opened.live


def start_opening(source: VideoSource | Iterable[StreamItem], maker: FrameMaker) -> Future[FrameSource]:
    """Open ``source`` in a thread of its own, because opening an absent camera may block for long."""
    opened: Future[FrameSource] = Future()
    opened.set_running_or_notify_cancel()

    def work() -> None:
        try:
            opened.set_result(open_source(source, maker))
        except BaseException as error:
            if isinstance(error, Exception) and not isinstance(error, StopIteration):
                opened.set_exception(error)
            else:  # raised in a task it would end the event loop, or get lost
                opened.set_result(FrameSource(_raising(error), live=False))

    start_feed_thread(work)
    return opened


def _raising(error: BaseException) -> Iterator[Frame | FrameResult]:
    raise error
    yield


async def async_frames(
    items: AsyncIterable[StreamItem], maker: FrameMaker
) -> AsyncGenerator[Frame | FrameResult, None]:
    """The items as frames, numbered from 1 on; closes an asynchronous generator at its end."""
    iterator = aiter(items)
    ours = iterator is not items or isinstance(iterator, AsyncGenerator)
    try:
        for frame_id in count(1):
            try:
                item = await anext(iterator)
            except StopAsyncIteration:
                return
            maker.note_arrival(item)
            yield maker.make(item, frame_id)
    finally:
        close = getattr(iterator, "aclose", None)
        if ours and close is not None:
            await close()
