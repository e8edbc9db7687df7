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
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias, cast

from ferserve.errors import ConfigError, explained_imports
from ferserve.sources.images import ImageLike, is_one_picture, payload_of
from ferserve.sources.iterables import FrameMaker, StreamItem
from ferserve.sources.live import reconnecting
from ferserve.sources.locators import checked_url, is_url, path_of
from ferserve.types import Frame, FrameResult

if TYPE_CHECKING:
    from ferserve.sources.container import VideoContainer

VideoSource: TypeAlias = int | str | os.PathLike[str]
"""A camera's index, the path of a video or an image, or a URL."""

_LARGEST_CAMERA = 2**31 - 1
"""OpenCV holds a camera's index in a C int, with the number of a driver in its hundreds."""

_IMAGE_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM")

_MOTION_JPEG = (".mjpeg", ".mjpg")
"""Names of videos that are JPEG after JPEG. A second JPEG in a file proves nothing, since photos carry previews."""

_RAW_VIDEO = (*_MOTION_JPEG, ".h264", ".264", ".avc", ".h265", ".265", ".hevc", ".m4v", ".dv", ".ts", ".m2v")
"""Names that help FFmpeg, because these formats have no header."""


@dataclass
class FrameSource:
    """Frames to come, with a result in place of each that cannot be read; ``live`` if they come at the world's pace."""

    frames: Iterator[Frame | FrameResult]
    live: bool


def open_source(source: VideoSource | Iterable[StreamItem], maker: FrameMaker | None = None) -> FrameSource:
    """Open a camera, a file or a URL, or wrap an iterable, whose items ``maker`` makes frames of.

    Frames get ids from 1 on unless they bring their own.

    Raises :class:`ConfigError` if nothing can be opened. The frames raise :class:`SourceLostError` if a live source
    stops and does not come back, or a recording breaks off.
    """
    if isinstance(source, int):
        return _open_camera(source)
    if isinstance(source, str | os.PathLike):
        text = os.fsdecode(source)
        fps = maker.fps if maker else None
        return _open_url(checked_url(text), fps) if is_url(text) else _open_file(path_of(text), fps)
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


def _open_camera(index: int) -> FrameSource:
    if not 0 <= index <= _LARGEST_CAMERA:  # OpenCV takes -1 for any camera, and crashes if there is none
        raise ConfigError(f"source must be a camera index from 0 to {_LARGEST_CAMERA}, got {index}")
    with explained_imports():
        import cv2  # noqa: F401, before NumPy, which its wheel brings along

        from ferserve.sources import opencv
    name, numbers = f"camera {index}", itertools.count(1)

    def frames() -> Iterator[Frame | FrameResult]:
        return opencv.live_frames(opencv.open_capture(index, name), name, numbers)

    return FrameSource(reconnecting(frames(), frames, name), live=True)


def _open_url(url: str, fps: float | None) -> FrameSource:
    from ferserve.sources.web_image import fetch_image

    numbers = itertools.count(1)
    if not _has_pyav():
        if (image := fetch_image(url)) is not None:
            return _one_image(image)
        return _open_with_opencv(url, url, recorded=False)
    try:
        first = _open_container(url, url)
    except ConfigError:
        if (image := fetch_image(url)) is not None:
            return _one_image(image)
        raise
    if first.is_picture and (image := fetch_image(url)) is not None:  # a camera that takes one viewer is asked once
        first.close()
        return _one_image(image)
    if first.is_recording:
        return FrameSource(first.recorded(numbers, fps), live=False)
    return FrameSource(
        reconnecting(first.live(numbers), lambda: _open_container(url, url).live(numbers), url), live=True
    )


def _open_file(path: str, fps: float | None) -> FrameSource:
    try:
        mode = os.stat(path).st_mode
        recorded = not (stat.S_ISFIFO(mode) or stat.S_ISCHR(mode))
        if stat.S_ISCHR(mode) and path.startswith("/dev/video") and path[10:].isdecimal():
            return _open_camera(int(path[10:]))
        file = _NamedFile(path, seekable=recorded)
    except OSError as error:
        raise ConfigError(
            f"source must be a readable file, a camera index or a URL, got {path!r}: {error.strerror}"
        ) from None
    if _is_image(file.head) and not path.lower().endswith(_MOTION_JPEG):
        file.close()
        return _one_image(Path(path))
    if not _has_pyav():
        file.close()
        return _open_with_opencv(path, repr(path), recorded=recorded)
    try:
        container = _open_container(cast(BinaryIO, file), repr(path))
    except BaseException:
        file.close()
        raise
    numbers = itertools.count(1)
    return FrameSource(container.recorded(numbers, fps) if recorded else container.live(numbers), live=not recorded)


def _one_image(image: ImageLike) -> FrameSource:
    return FrameSource(iter([Frame(1, payload_of(image), time.time_ns())]), live=False)


class _NamedFile:
    """A file for FFmpeg under a name that tells the format and nothing else: paths may hold any bytes and patterns."""

    def __init__(self, path: str, *, seekable: bool) -> None:
        """Open the file at ``path``; raises OSError. A seekable one tells its first bytes as ``head``."""
        file: Any = open(path, "rb", buffering=io.DEFAULT_BUFFER_SIZE if seekable else 0)  # noqa: SIM115
        self.head: bytes = file.peek(16)[:16] if seekable else b""
        suffix = os.path.splitext(path)[1].lower()
        self.name = f"video{suffix}" if suffix in _RAW_VIDEO else "video"
        self.read = file.read
        self.close = file.close
        if seekable:
            self.seek, self.tell = file.seek, file.tell

    def __del__(self) -> None:
        self.close()  # of a source that was never read


def _open_with_opencv(source: str, name: str, *, recorded: bool) -> FrameSource:
    with explained_imports():
        if find_spec("cv2") is None:
            import av  # noqa: F401, which is missing: of the two it is the one to install
        import cv2

        from ferserve.sources import opencv
    capture = opencv.open_capture(source, name)
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


def _is_image(head: bytes) -> bool:
    return head.startswith(_IMAGE_MAGIC) or (head.startswith(b"RIFF") and head[8:12] == b"WEBP")
