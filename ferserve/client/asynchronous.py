"""The client for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from types import TracebackType

from ferserve.client.boxes import BoxesLike
from ferserve.client.connection import DEFAULT_TARGET, Connection, ConnectionSettings
from ferserve.client.encoding import Encoding
from ferserve.client.stream_run import StreamSource
from ferserve.client.tasks import finish
from ferserve.config import NO_TLS, Tls
from ferserve.options import FrameOptions, StreamOptions
from ferserve.sources.images import Color, ImageLike
from ferserve.sources.iterables import FrameMaker
from ferserve.types import FrameResult, ModelDescription


class AsyncClient:
    """Client of one server for asyncio. Use it as an asynchronous context manager, within one event loop.

    The first call connects; a connection that breaks is opened again.
    A process that is forked after the first call cannot use it: there every call raises :class:`FerserveError`.

    Examples:
        >>> async with ferserve.AsyncClient("127.0.0.1:50051") as client:
        ...     result = await client.classify("photo.jpg")
        ...     async for result in client.stream("clip.mp4"):
        ...         print(result.frame_id, [face.emotion for face in result.faces])
    """

    def __init__(
        self,
        target: str | Sequence[str] = DEFAULT_TARGET,
        *,
        timeout_s: float = 10.0,
        reconnect_s: float = 30.0,
        encoding: Encoding = "auto",
        jpeg_quality: int = 90,
        max_in_flight: int = 8,
        tls: Tls = NO_TLS,
        token: str | None = None,
    ) -> None:
        """Make a client; the first call connects.

        Args:
            target: Address of the server, ``HOST:PORT``, or ``unix:PATH`` for a Unix domain socket; by default
                ``127.0.0.1:50051``. Several, as a list or with commas between, share the work: each stream goes to the
                first that is well in an order of its own, each single call to the next.
            timeout_s: Longest time of a single call, s; ``math.inf`` for no limit.
            reconnect_s: Longest time that a stream tries to reconnect after its connection broke, s; 0 for not at all.
            encoding: How arrays travel: ``"raw"``, ``"jpeg"``, or ``"auto"``, which is raw to a server on this machine
                unless an array has over 63 MiB, and JPEG to any other if simplejpeg is installed. Images given as
                bytes, paths or payloads travel as they are.
            jpeg_quality: Quality of that JPEG, 1 to 100.
            max_in_flight: Most frames of a stream that are sent ahead of the result that was taken last.
            tls: How to reach a server with a certificate, such as ``Tls(ca="ca.pem")``; the certificate must name the
                host of ``target``.
            token: What ``ferserve token add`` printed, for a server that asks for one; by default that of
                ``FERSERVE_TOKEN``, if it is set. It travels by TLS, or to this machine, and no other way.

        Raises:
            ConfigError: ``target`` is no address, a file of ``tls`` is not what it should be, or ``token`` is no token
                or would travel in plain text.
            InvalidOptionsError: ``encoding`` is unknown, or a number is out of range.
        """
        settings = ConnectionSettings(target, timeout_s, reconnect_s, encoding, jpeg_quality, max_in_flight, tls, token)
        self.target: str = settings.shown_target
        """Address of the server, as given; commas stand between several."""
        self._connection = Connection(settings)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End all calls and streams, then the connection. A task that waits for one of them gets a FerserveError."""
        await self._connection.close()

    async def classify(
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
            options: Model, least score, most faces, detection size; None for the server's defaults.
            timeout_s: Longest time of this call, s; None for the client's.
            color: Order of the colours in an array, ``"bgr"`` or ``"rgb"``.

        Returns:
            The faces; an image without a face is a success with an empty tuple. Boxes are px of the upright image.

        Raises:
            InvalidFrameError: ``image`` cannot be decoded, is too large, or does not fit ``boxes``.
            InvalidOptionsError: An option is beyond the server's limits.
            ModelNotFoundError: The server has no model of that name.
            ModelNotReadyError: The server is starting or stopping.
            OverloadedError: The server's queue is full.
            FrameDeadlineError: No answer came within ``timeout_s``.
            ServerUnavailableError: The server cannot be reached.
            OSError: The file at a path cannot be read.
            MissingPackageError: ``image`` is an array, and a package for arrays is not installed.
            FerserveError: The client is closed, or the server failed.
        """
        return await self._connection.classify(image, boxes, options, timeout_s, color)

    async def stream(
        self,
        frames: StreamSource,
        options: StreamOptions | None = None,
        *,
        fps: float | None = None,
        color: Color = "bgr",
    ) -> AsyncGenerator[FrameResult, None]:
        """Classify a video: one result per frame, in the order of the frames.

        Frames are pulled only as fast as results are taken, at most ``max_in_flight`` ahead. A blocking iterable is
        pulled in a thread; an asynchronous generator is closed with its stream. A connection that breaks is opened
        again, and frames without an answer are sent again.

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
            SourceLostError: A live source stopped and did not come back, or a recording cannot be read on.
            InvalidFrameError: A frame is too large for a message.
            MissingPackageError: A package that ``frames`` needs, such as PyAV for videos, is not installed.
            InvalidOptionsError: An option is beyond the server's limits.
            ModelNotFoundError: The server has no model of that name.
            StreamProtocolError: The ids of the frames do not rise.
            OverloadedError: The server has too many streams.
            ServerUnavailableError: The server cannot be reached, or did not come back within ``reconnect_s``.
            FerserveError: The client is closed, or the server failed.
            Exception: Whatever the iterable raises.
        """
        results: asyncio.Queue[FrameResult | None] = asyncio.Queue()
        run = self._connection.start_stream(frames, FrameMaker(fps, color), options, results.put_nowait)
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

    async def models(self, *, timeout_s: float | None = None) -> list[ModelDescription]:
        """List the models of the server, by name.

        Args:
            timeout_s: Longest time of this call, s; None for the client's.

        Raises:
            FrameDeadlineError: No answer came within ``timeout_s``.
            ServerUnavailableError: The server cannot be reached.
            FerserveError: The client is closed, or the server failed.
        """
        return await self._connection.models(timeout_s)

    async def model(self, name: str = "", *, timeout_s: float | None = None) -> ModelDescription:
        """Describe one model.

        Args:
            name: Name of the model; empty for the default one.
            timeout_s: Longest time of this call, s; None for the client's.

        Raises:
            ModelNotFoundError: The server has no model of that name.
            FrameDeadlineError: No answer came within ``timeout_s``.
            ServerUnavailableError: The server cannot be reached.
            FerserveError: The client is closed, or the server failed.
        """
        return await self._connection.model(name, timeout_s)
