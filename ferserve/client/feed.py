"""Pulls frames from the user's iterable, as many as may be unanswered at a time, and hands them to the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from functools import partial
from typing import Protocol

from ferserve.feed_thread import start_feed_thread
from ferserve.sources import ImageLike, VideoSource, frame_of, open_source
from ferserve.types import Frame
from ferserve.v1 import emotion_pb2 as pb

Prepare = Callable[[Frame], pb.ClassifyStreamRequest]
OnFrame = Callable[[pb.ClassifyStreamRequest], None]
OnEnd = Callable[["BaseException | None"], None]
"""Called once, after the last frame, with what the iterable raised."""


class Feed(Protocol):
    """Frames that are pulled and made into messages one by one, each when a slot for it is free."""

    def start(self, on_frame: OnFrame, on_end: OnEnd) -> None:
        """Begin; both callables are called in the running loop."""

    def release(self) -> None:
        """A frame was answered and its answer taken: one more may be pulled. May be called from any thread."""

    def close(self) -> None:
        """Pull no further."""


class ThreadFeed:
    """Pulls from a blocking iterator in a thread of its own, so that a slow camera never stops the loop."""

    def __init__(self, frames: Iterator[Frame], prepare: Prepare, slots: int) -> None:
        self._frames = frames
        self._prepare = prepare
        self._slots = threading.Semaphore(slots)
        self._closed = False

    def start(self, on_frame: OnFrame, on_end: OnEnd) -> None:
        """See :class:`Feed`."""
        loop = asyncio.get_running_loop()
        start_feed_thread(partial(self._pull, loop, on_frame, on_end))

    def release(self) -> None:
        """See :class:`Feed`."""
        self._slots.release()

    def close(self) -> None:
        """See :class:`Feed`."""
        self._closed = True
        self._slots.release()

    def _pull(self, loop: asyncio.AbstractEventLoop, on_frame: OnFrame, on_end: OnEnd) -> None:
        error: BaseException | None = None
        try:
            while self._slots.acquire() and not self._closed:
                frame = next(self._frames, None)
                if frame is None or self._closed:
                    break
                _call_soon(loop, on_frame, self._prepare(frame))
        except BaseException as raised:  # whatever the user's iterator raises, the user hears of it
            error = raised
        finally:
            close = getattr(self._frames, "close", None)
            if close is not None:
                close()
        _call_soon(loop, on_end, error)


class TaskFeed:
    """Pulls from an asynchronous iterator in a task."""

    def __init__(self, frames: AsyncIterator[Frame], prepare: Prepare, slots: int) -> None:
        self._frames = frames
        self._prepare = prepare
        self._slots = asyncio.Semaphore(slots)
        self._task: asyncio.Task[None] | None = None

    def start(self, on_frame: OnFrame, on_end: OnEnd) -> None:
        """See :class:`Feed`."""
        self._task = asyncio.ensure_future(self._pull(on_frame, on_end))

    def release(self) -> None:
        """See :class:`Feed`."""
        self._slots.release()

    def close(self) -> None:
        """See :class:`Feed`."""
        if self._task is not None:
            self._task.cancel()

    async def _pull(self, on_frame: OnFrame, on_end: OnEnd) -> None:
        error: BaseException | None = None
        try:
            await self._slots.acquire()
            async for frame in self._frames:
                on_frame(self._prepare(frame))
                await self._slots.acquire()
        except Exception as raised:
            error = raised
        on_end(error)


def _call_soon(loop: asyncio.AbstractEventLoop, callback: Callable[..., None], argument: object) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed: the client is gone
        loop.call_soon_threadsafe(callback, argument)


async def open_feed(
    source: VideoSource | Iterable[ImageLike | Frame] | AsyncIterable[ImageLike | Frame],
    prepare: Prepare,
    slots: int,
) -> tuple[Feed, bool]:
    """A feed of ``source``, and whether it is live; raises as :func:`ferserve.sources.open_source` does."""
    if isinstance(source, AsyncIterable):
        return TaskFeed(_frames_of(source), prepare, slots), False
    opened = await asyncio.to_thread(open_source, source)
    return ThreadFeed(opened.frames, prepare, slots), opened.live


async def _frames_of(items: AsyncIterable[ImageLike | Frame]) -> AsyncIterator[Frame]:
    frame_id = 0
    async for item in items:
        frame_id += 1
        yield frame_of(item, frame_id)
