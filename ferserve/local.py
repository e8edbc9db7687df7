"""An engine in this process that answers as a client of a server does."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future
from functools import partial
from types import TracebackType

from ferserve.config import EngineConfig
from ferserve.engine import Engine
from ferserve.options import FrameOptions, StreamOptions
from ferserve.scheduling.stream import EngineStream
from ferserve.sources.images import ImageLike, payload_of
from ferserve.sources.threads import start_feed_thread
from ferserve.types import Frame, FrameResult, ModelDescription

MAX_IN_FLIGHT = 8
"""Frames of a stream that are pulled before the result of the first of them has been taken."""

_Answer = Future[FrameResult] | BaseException | None


class LocalClient:
    """What :class:`ferserve.Client` does, without a network."""

    def __init__(self, config: EngineConfig) -> None:
        """Raises what :class:`ferserve.engine.Engine` does."""
        self._engine = Engine(config)
        self.target = f"this process: {self._engine.runs_on}"

    def __enter__(self) -> LocalClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._engine.close()

    def classify(self, image: ImageLike, *, options: FrameOptions | None = None) -> FrameResult:
        """See :meth:`ferserve.AsyncClient.classify`."""
        return self._engine.classify(Frame(0, payload_of(image)), options)

    def stream(self, frames: Iterable[Frame], options: StreamOptions) -> Generator[FrameResult, None, None]:
        """See :meth:`ferserve.AsyncClient.stream`; ``frames`` is pulled in a thread, so live ones keep their pace."""
        answers: queue.SimpleQueue[_Answer] = queue.SimpleQueue()
        slots = threading.Semaphore(MAX_IN_FLIGHT)
        with self._engine.open_stream(options) as stream:
            start_feed_thread(partial(_submit_all, iter(frames), stream, slots, answers))
            try:
                while (answer := answers.get()) is not None:
                    if isinstance(answer, BaseException):
                        raise answer
                    yield answer.result()
                    slots.release()
            finally:
                stream.close()
                slots.release()  # the thread wakes, finds the stream closed, and ends

    def models(self) -> list[ModelDescription]:
        """See :meth:`ferserve.AsyncClient.models`."""
        return self._engine.models()

    def model(self, name: str = "") -> ModelDescription:
        """See :meth:`ferserve.AsyncClient.model`."""
        return self._engine.model(name)


def _submit_all(
    frames: Iterator[Frame], stream: EngineStream, slots: threading.Semaphore, answers: queue.SimpleQueue[_Answer]
) -> None:
    """A stream that was closed meanwhile refuses the next frame, and that ends this thread."""
    try:
        while slots.acquire() and (frame := next(frames, None)) is not None:
            answers.put(stream.submit(frame))
    except BaseException as error:
        answers.put(error)
    answers.put(None)
