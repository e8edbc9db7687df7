"""Opens what a user names: a camera, a file, a URL, or an iterable of pictures."""

from __future__ import annotations

import io
import itertools
import os
import stat
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias, cast

from ferserve.errors import ConfigError, explained_imports
from ferserve.sources.gif import is_animated
from ferserve.sources.images import ImageLike, is_one_picture, payload_of, read_image
from ferserve.sources.iterables import FrameMaker, StreamItem
from ferserve.sources.kinds import HEAD_BYTES, RAW_VIDEO, is_picture, kind_of
from ferserve.sources.live import LiveFrames
from ferserve.sources.live_source import LiveSource
from ferserve.sources.locators import checked_url, is_url, path_of, redacted
from ferserve.types import EncodedImage, Frame, FrameResult

if TYPE_CHECKING:
    from ferserve.sources.container import VideoContainer

VideoSource: TypeAlias = int | str | os.PathLike[str] | BinaryIO | LiveSource
"""A camera's index, the path of a video or an image, a URL, one of these as :class:`LiveSource`, or a binary file that
is open for reading."""

_LARGEST_CAMERA = 2**31 - 1
"""OpenCV holds a camera's index in a C int, with the number of a driver in its hundreds."""


@dataclass
class FrameSource:
    """Frames to come, with a result in place of each that cannot be read; ``live`` if they come at the world's pace."""

    frames: Iterator[Frame | FrameResult]
    live: bool
    container: VideoContainer | None = None
    """The recording that PyAV reads, for who needs more of it than ``frames``; only one of the two can be used."""

    def stop(self) -> None:
        """End the frames of a source that is waited for; any thread may call it. Others end by themselves."""
        if isinstance(self.frames, LiveFrames):
            self.frames.close()


def open_source(source: VideoSource | Iterable[StreamItem], maker: FrameMaker | None = None) -> FrameSource:
    """Open a camera, a path, a file or a URL, or wrap an iterable, whose items ``maker`` makes frames of.

    Frames get ids from 1 on unless they bring their own.

    Raises :class:`ConfigError` if nothing can be opened. The frames raise :class:`SourceLostError` if a live source
    stops and does not come back, or a recording breaks off.
    """
    settings = source if isinstance(source, LiveSource) else LiveSource("")
    if isinstance(source, LiveSource):
        source = source.source
    if isinstance(source, int):
        return _open_camera(source, settings)
    if isinstance(source, str | os.PathLike):
        text = os.fsdecode(source)
        fps = maker.fps if maker else None
        return _open_url(checked_url(text), fps, settings) if is_url(text) else _open_path(path_of(text), fps, settings)
    if hasattr(source, "read") and hasattr(source, "seekable"):
        return _open_file(cast(BinaryIO, source), maker.fps if maker else None)
    if is_one_picture(source):
        raise ConfigError(
            f"source must be an iterable of images, got one image ({type(source).__name__}); put it in a list, or call "
            "classify()"
        )
    maker = maker or FrameMaker()
    if not isinstance(source, Iterable):
        raise ConfigError(
            f"source must be a camera index, a path, a URL or an iterable of images, got {type(source).__name__}"
        )
    return FrameSource(_frames_of(source, maker), live=False)


def _frames_of(items: Iterable[StreamItem], maker: FrameMaker) -> Iterator[Frame | FrameResult]:
    for number, item in enumerate(items, 1):
        maker.note_arrival(item)
        yield maker.make(item, number)


def _open_camera(index: int, settings: LiveSource) -> FrameSource:
    if not 0 <= index <= _LARGEST_CAMERA:  # OpenCV takes -1 for any camera, and crashes if there is none
        raise ConfigError(f"source must be a camera index from 0 to {_LARGEST_CAMERA}, got {index}")
    with explained_imports():
        import cv2  # noqa: F401, before NumPy, which its wheel brings along

        from ferserve.sources import opencv
    name = f"camera {index}"

    def connect() -> opencv.CaptureConnection:
        return opencv.CaptureConnection(opencv.open_capture(index, name), name)

    return FrameSource(LiveFrames(connect(), connect, name, settings), live=True)


def _open_url(url: str, fps: float | None, settings: LiveSource) -> FrameSource:
    from ferserve.sources.web_image import fetch_image

    if not _has_pyav():
        if (image := fetch_image(url)) is not None:
            return _one_image(image)
        return _open_with_opencv(url, redacted(url), recorded=False)
    from ferserve.sources import network
    from ferserve.sources.live_container import LiveContainer

    try:
        first = network.open_url(url)
    except ConfigError:
        if (image := fetch_image(url)) is not None:
            return _one_image(image)
        raise
    if first.is_picture and (image := fetch_image(url)) is not None:  # a camera that takes one viewer is asked once
        first.close()
        return _one_image(image)
    if first.is_recording:
        return FrameSource(first.recorded(itertools.count(1), fps), live=False, container=first)
    connection = LiveContainer(first)
    return FrameSource(LiveFrames(connection, lambda: network.open_again(url), redacted(url), settings), live=True)


def _open_path(path: str, fps: float | None, settings: LiveSource) -> FrameSource:
    try:
        mode = os.stat(path).st_mode
        device = os.path.realpath(path)  # names such as /dev/v4l/by-id/… are links
        if stat.S_ISCHR(mode) and device.startswith("/dev/video") and device[10:].isdecimal():
            return _open_camera(int(device[10:]), settings)
        recorded = not (stat.S_ISFIFO(mode) or stat.S_ISCHR(mode))
        file = open(path, "rb", buffering=io.DEFAULT_BUFFER_SIZE if recorded else 0)  # noqa: SIM115
    except OSError as error:
        raise ConfigError(
            f"source must be a readable file, a camera index or a URL, got {path!r}: {error.strerror}"
        ) from None
    try:
        if recorded and (image := _image_in(file, path)) is not None:
            file.close()
            return _one_image(image)
        if not _has_pyav():
            file.close()
            return _open_with_opencv(path, repr(path), recorded=recorded)
        return _open_video(_NamedFile(file, path, seekable=recorded), repr(path), fps)
    except BaseException:
        file.close()
        raise


def _open_file(file: BinaryIO, fps: float | None) -> FrameSource:
    """``file`` stays open, since it is the caller's."""
    if isinstance(file, io.TextIOBase):
        raise ConfigError("source must be a binary file, got one of text; open it with mode 'rb'")
    seekable = file.seekable()
    if seekable and (image := _image_in(file, "")) is not None:
        return _one_image(image)
    if not _has_pyav():
        raise ConfigError("source must have a path without PyAV, got an open file; pip install av")
    raw = file if seekable else getattr(file, "raw", file)  # a buffer waits until it is full
    return _open_video(_NamedFile(raw, "", seekable=seekable, owned=False), "the open file", fps)


def _image_in(file: BinaryIO, path: str) -> EncodedImage | None:
    """The picture in a file that can be rewound; None for a video, also for one that is a GIF of several frames."""
    start = file.tell()
    head = file.read(HEAD_BYTES)
    file.seek(start)
    if kind_of(head, path) != "picture" or not is_picture(head):
        return None
    image = EncodedImage(read_image(file))
    if not is_animated(image.data) or not _has_pyav():
        return image
    file.seek(start)
    return None


def _open_video(file: _NamedFile, name: str, fps: float | None) -> FrameSource:
    container = _open_container(cast(BinaryIO, file), name)
    numbers = itertools.count(1)
    if file.recorded:
        return FrameSource(container.recorded(numbers, fps), live=False, container=container)
    return FrameSource(container.live(numbers), live=True)


def _one_image(image: ImageLike) -> FrameSource:
    return FrameSource(iter([Frame(1, payload_of(image), time.time_ns())]), live=False)


class _NamedFile:
    """A file for FFmpeg under a name that tells the format and nothing else: paths may hold any bytes and patterns."""

    def __init__(self, file: Any, path: str, *, seekable: bool, owned: bool = True) -> None:
        suffix = os.path.splitext(path)[1].lower()
        self.name = f"video{suffix}" if suffix in RAW_VIDEO else "video"
        self.recorded = seekable
        self.read = file.read
        self._file = file if owned else None
        if seekable:
            self.seek, self.tell = file.seek, file.tell

    def close(self) -> None:
        """Close the file unless it is the caller's."""
        if self._file is not None:
            self._file.close()

    def __del__(self) -> None:
        self.close()  # of a source that was never read


def _open_with_opencv(source: str, name: str, *, recorded: bool) -> FrameSource:
    with explained_imports():
        if find_spec("cv2") is None:
            import av  # noqa: F401, which is missing: of the two it is the one to install
        import cv2

        from ferserve.sources import opencv
    capture = opencv.open_capture(source, name)
    if recorded:
        opencv.require_visible(source, name)
    recorded = recorded or capture.get(cv2.CAP_PROP_FRAME_COUNT) > 0
    frames = opencv.recorded_frames if recorded else opencv.live_frames
    return FrameSource(frames(capture, name, itertools.count(1)), live=not recorded)


def _open_container(file: BinaryIO | str, name: str) -> VideoContainer:
    with explained_imports():
        from ferserve.sources.container import VideoContainer
    return VideoContainer(file, name)


def _has_pyav() -> bool:
    try:
        import av  # noqa: F401
    except ImportError:
        return False
    return True
