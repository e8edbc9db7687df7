"""A client without a server: the engine runs in this process."""

from __future__ import annotations

import asyncio
import concurrent.futures
import math
import queue
import threading
from collections.abc import AsyncGenerator, AsyncIterable, Generator, Iterator
from concurrent.futures import Future
from functools import partial
from types import TracebackType

from ferserve.client.boxes import BoxesLike, boxes_array
from ferserve.client.deadline import Deadline
from ferserve.client.feed import async_frames, start_opening
from ferserve.client.payload import payload_within
from ferserve.client.stream_run import StreamSource, settled_options
from ferserve.client.tasks import closed_before, closed_meanwhile
from ferserve.config import EngineConfig
from ferserve.engine import Engine
from ferserve.errors import FrameDeadlineError
from ferserve.forks import ProcessGuard
from ferserve.options import FrameOptions, StreamOptions, require_range
from ferserve.scheduling.stream import EngineStream
from ferserve.sources.images import Color, ImageLike
from ferserve.sources.iterables import FrameMaker
from ferserve.sources.source import FrameSource
from ferserve.sources.threads import start_feed_thread
from ferserve.types import Frame, FrameResult, ModelDescription

_Answer = FrameResult | Future[FrameResult] | BaseException | None


class LocalClient:
    """Client without a server: the engine runs in this process. Use it as a context manager; threads may share it.

    It has the methods of :class:`Client` and answers as one does.

    Examples:
        >>> with ferserve.LocalClient() as client:
        ...     result = client.classify("photo.jpg")
        ...     for result in client.stream("clip.mp4"):
        ...         print(result.frame_id, [face.emotion for face in result.faces])
    """

    def __init__(
        self, engine: Engine | EngineConfig | None = None, *, timeout_s: float = math.inf, max_in_flight: int = 8
    ) -> None:
        """Load the engine, which takes about a second.

        Args:
            engine: The engine's configuration, None for the defaults; or an engine, which stays open after the client.
            timeout_s: Longest time of a single call, s; ``math.inf`` for no limit.
            max_in_flight: Most frames of a stream that are pulled ahead of the result that was taken last.

        Raises:
            ConfigError: The configuration or a file that it names is not what it should be.
            ModelSpecError: A model does not say what it is.
            ModelNotFoundError: The configured model does not exist.
            InvalidOptionsError: A number is out of range.
        """
        require_range("timeout_s", timeout_s, 0, math.inf, " s")
        require_range("max_in_flight", max_in_flight, 1, 65_536, " frames")
        self._timeout_s = timeout_s
        self._max_in_flight = max_in_flight
        self._owns_engine = not isinstance(engine, Engine)
        self._engine = engine if isinstance(engine, Engine) else Engine(engine)
        self._process = ProcessGuard("client")
        self._streams: set[_LocalStream] = set()
        self._closed = False
        self.target: str = f"this process: {self._engine.runs_on}"
        """What answers, in words."""

    def __enter__(self) -> LocalClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all calls and streams, then the engine unless it was passed in. In a forked child it does nothing."""
        if self._process.was_left:
            return
        self._closed = True
        for stream in tuple(self._streams):
            stream.end(closed_meanwhile())
        if self._owns_engine:
            self._engine.close()

    def classify(
        self,
        image: ImageLike,
        boxes: BoxesLike | None = None,
        *,
        options: FrameOptions | None = None,
        timeout_s: float | None = None,
        color: Color = "bgr",
    ) -> FrameResult:
        """Find all faces of one image and say what they express.

        Args:
            image: Array (H, W) or (H, W, 1) of luma, (H, W, 3) or (H, W, 4) of colour, uint8 or floating point in
                [0, 1]; an image of Pillow or another library that NumPy can read; the bytes or the path of a JPEG, PNG,
                WebP, BMP, GIF or TIFF file (its first frame or page); a :class:`RawImage`, an :class:`EncodedImage`, or
                :class:`Crops` of faces.
            boxes: Known faces, (N, 4) as (x0, y0, x1, y1) px of the upright image. They replace detection: one face
                per box, in the same order. None detects.
            options: Model, least score, most faces, detection size; None for the engine's defaults.
            timeout_s: Longest time of this call, s; None for the client's.
            color: Order of the colours in an array, ``"bgr"`` or ``"rgb"``.

        Returns:
            The faces; an image without a face is a success with an empty tuple. Boxes are px of the upright image.

        Raises:
            InvalidFrameError: ``image`` cannot be decoded, is too large, or does not fit ``boxes``.
            InvalidOptionsError: An option is beyond the engine's limits.
            ModelNotFoundError: There is no model of that name.
            OverloadedError: The engine's queue is full.
            FrameDeadlineError: No answer came within ``timeout_s``.
            OSError: The file at a path cannot be read.
            FerserveError: The client is closed.
        """
        self._require_open()
        deadline = Deadline(self._timeout_s if timeout_s is None else timeout_s)
        payload = payload_within(image, color, deadline)
        answer = self._engine.submit(Frame(0, payload, boxes=boxes_array(boxes)), options)
        try:
            return answer.result(deadline.left_s())
        except concurrent.futures.TimeoutError:
            raise FrameDeadlineError(
                f"the answer must come within {deadline.timeout_s:g} s, got none; give the call a longer timeout"
            ) from None

    def stream(
        self,
        frames: StreamSource,
        options: StreamOptions | None = None,
        *,
        fps: float | None = None,
        color: Color = "bgr",
    ) -> Generator[FrameResult, None, None]:
        """Classify a video: one result per frame, in the order of the frames.

        Frames are pulled only as fast as results are taken, at most ``max_in_flight`` ahead, in another thread than
        the caller's; an asynchronous iterable runs in an event loop of that thread.

        Args:
            frames: A camera's index; path or URL of a video or image; :class:`LiveSource`; binary file; or an iterable,
                asynchronous or not, of images as :meth:`classify` takes them, of pairs ``(time_s, image)``, or of
                :class:`Frame`.
            options: Model, delivery, smoothing and more. Unless ``options.delivery`` is set, a live source is
                answered with ``Delivery.LATEST`` and any other with ``Delivery.EVERY``.
            fps: Frame rate of images without a time, and of videos that tell none. Smoothing goes by the times of
                frames: those of a recording, of the pairs, of :class:`Frame`, or evenly spaced by ``fps``; else images
                count as live, taken when they arrive, and a :class:`FrameTimeWarning` says so once.
            color: Order of the colours in arrays, ``"bgr"`` or ``"rgb"``.

        Yields:
            Results, one per frame: with ``faces``, with a ``fault`` if the frame cannot be read, or ``dropped``.

        Raises:
            ConfigError: ``frames`` cannot be opened.
            InvalidFrameError: An item of ``frames`` is no image.
            InvalidOptionsError: An option is beyond the engine's limits.
            ModelNotFoundError: There is no model of that name.
            StreamProtocolError: The ids of the frames do not rise.
            FerserveError: The client is closed.
            Exception: Whatever the iterable raises.
        """
        self._require_open()
        source = _open(frames, FrameMaker(fps, color))
        opened = self._engine.open_stream(settled_options(options, source.live))
        stream = _LocalStream(opened, source, self._max_in_flight)
        self._streams.add(stream)
        try:
            yield from stream.results()
        finally:
            self._streams.discard(stream)
            stream.end()

    def models(self) -> list[ModelDescription]:
        """List the models at hand, by name.

        Raises:
            FerserveError: The client is closed.
        """
        self._require_open()
        return self._engine.models()

    def model(self, name: str = "") -> ModelDescription:
        """Describe one model.

        Args:
            name: Name of the model; empty for the default one.

        Raises:
            ModelNotFoundError: There is no model of that name.
            FerserveError: The client is closed.
        """
        self._require_open()
        return self._engine.model(name)

    def _require_open(self) -> None:
        self._process.require_own()
        if self._closed:
            raise closed_before()


def _open(frames: StreamSource, maker: FrameMaker) -> FrameSource:
    if isinstance(frames, AsyncIterable):
        return FrameSource(_in_own_loop(async_frames(frames, maker)), live=False)
    return start_opening(frames, maker).result()


def _in_own_loop(frames: AsyncGenerator[Frame | FrameResult, None]) -> Iterator[Frame | FrameResult]:
    """Pull ``frames`` in an event loop of the calling thread."""
    loop = asyncio.new_event_loop()
    try:
        while (frame := loop.run_until_complete(anext(frames, None))) is not None:
            yield frame
    finally:
        loop.run_until_complete(frames.aclose())
        loop.close()


class _LocalStream:
    """Submits frames to the engine in a thread and hands out their results."""

    def __init__(self, stream: EngineStream, source: FrameSource, max_in_flight: int) -> None:
        self._process = ProcessGuard("client")
        self._stream = stream
        self._slots = threading.Semaphore(max_in_flight)
        self._answers: queue.SimpleQueue[_Answer] = queue.SimpleQueue()
        self._stop_source = source.stop
        start_feed_thread(partial(self._submit_all, source.frames), self.end)

    def results(self) -> Iterator[FrameResult]:
        """One per frame; raises what ends the stream."""
        while (answer := self._answers.get()) is not None:
            if isinstance(answer, BaseException):
                raise answer
            yield answer if isinstance(answer, FrameResult) else answer.result()
            self._process.require_own()
            self._slots.release()

    def end(self, error: BaseException | None = None) -> None:
        """Close the engine's stream, whose next submit fails: that ends the thread. ``error`` ends :meth:`results`."""
        if self._process.was_left:
            return
        self._stream.close()
        self._answers.put(error)
        self._slots.release()
        self._stop_source()

    def _submit_all(self, frames: Iterator[Frame | FrameResult]) -> None:
        error: BaseException | None = None
        try:
            while self._slots.acquire() and (frame := next(frames, None)) is not None:
                self._answers.put(frame if isinstance(frame, FrameResult) else self._stream.submit(frame))
        except BaseException as raised:
            error = raised
        finally:
            if (close := getattr(frames, "close", None)) is not None:
                close()
        self._answers.put(error)
