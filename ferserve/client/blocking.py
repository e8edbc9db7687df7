"""The blocking client: an :class:`AsyncClient` on an event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import concurrent.futures
import queue
import threading
import weakref
from collections.abc import AsyncIterable, Coroutine, Generator, Iterable
from types import TracebackType
from typing import Any, TypeVar

from numpy.typing import ArrayLike

from ferserve.client.asynchronous import DEFAULT_TARGET, AsyncClient
from ferserve.client.encoding import Encoding
from ferserve.client.tasks import closed_before
from ferserve.config import NO_TLS, Tls
from ferserve.options import FrameOptions, StreamOptions
from ferserve.sources.images import ImageLike
from ferserve.sources.source import VideoSource
from ferserve.types import Frame, FrameResult, ModelDescription

T = TypeVar("T")


class Client:
    """Talks to one server. Use it as a context manager; it may be shared by threads."""

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
        """As :class:`AsyncClient`."""

        async def make() -> AsyncClient:
            return AsyncClient(
                target,
                timeout_s=timeout_s,
                reconnect_s=reconnect_s,
                encoding=encoding,
                jpeg_quality=jpeg_quality,
                max_in_flight=max_in_flight,
                tls=tls,
            )

        self._loop = _LoopThread()
        try:
            self._client = self._loop.run(make())
        except BaseException:
            self._loop.stop()
            raise
        # Clients that nobody closed are closed before the interpreter takes gRPC apart.
        self._finalizer = weakref.finalize(self, self._loop.stop, self._client)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """As :meth:`AsyncClient.close`."""
        self._finalizer()

    def classify(
        self,
        image: ImageLike,
        boxes: ArrayLike | None = None,
        *,
        options: FrameOptions | None = None,
        timeout_s: float | None = None,
    ) -> FrameResult:
        """See :meth:`AsyncClient.classify`."""
        return self._loop.run(self._client.classify(image, boxes, options=options, timeout_s=timeout_s))

    def stream(
        self,
        frames: VideoSource | Iterable[ImageLike | Frame] | AsyncIterable[ImageLike | Frame],
        options: StreamOptions | None = None,
    ) -> Generator[FrameResult, None, None]:
        """See :meth:`AsyncClient.stream`. ``frames`` is pulled in another thread than the caller's."""
        results: queue.SimpleQueue[FrameResult | None] = queue.SimpleQueue()
        run = self._client.start_stream(frames, options, results.put)
        future = self._loop.start(run.run())
        ended = False
        try:
            while (result := results.get()) is not None:
                run.take()
                yield result
            ended = True
            error = future.result()
        finally:
            future.cancel()
            # The stream is over when it says so; until then it holds the connection. In the loop's own thread, where
            # the garbage collector may come upon a stream, nobody could say so.
            while not (ended or self._loop.is_current):
                ended = results.get() is None
        if error is not None:
            raise error

    def models(self, *, timeout_s: float | None = None) -> list[ModelDescription]:
        """See :meth:`AsyncClient.models`."""
        return self._loop.run(self._client.models(timeout_s=timeout_s))

    def model(self, name: str = "", *, timeout_s: float | None = None) -> ModelDescription:
        """See :meth:`AsyncClient.model`."""
        return self._loop.run(self._client.model(name, timeout_s=timeout_s))


class _LoopThread:
    """An event loop that runs in a daemon thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._open = True
        self._starting = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="ferserve-client", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()

    @property
    def is_current(self) -> bool:
        """Whether the caller's thread is this one."""
        return threading.current_thread() is self._thread

    def start(self, coroutine: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        with self._starting:  # what starts after the loop's last task would never end
            if not self._open:
                coroutine.close()
                raise closed_before()
            return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        future = self.start(coroutine)
        try:
            return future.result()
        finally:
            future.cancel()  # after Ctrl-C nobody waits for it any more

    def stop(self, client: AsyncClient | None = None) -> None:
        """Close ``client``, then the loop, and wait for that, except in the loop's own thread.

        There the garbage collector may come upon a client that nobody closed.
        """
        with self._starting:
            self._open = False
            ended = asyncio.run_coroutine_threadsafe(_finish(client), self._loop)
        ended.add_done_callback(lambda _: self._loop.call_soon_threadsafe(self._loop.stop))
        if not self.is_current:
            self._thread.join()
            ended.result()


async def _finish(client: AsyncClient | None) -> None:
    """Close ``client``, cancel what still runs and wait for it, as ``asyncio.run`` does at its end."""
    if client is not None:
        await client.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()
    await asyncio.get_running_loop().shutdown_default_executor()
