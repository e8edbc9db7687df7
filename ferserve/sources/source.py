"""Where frames come from: arrays, bytes, files, cameras, URLs, and any iterable of such."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit
from urllib.request import url2pathname

from ferserve.errors import ConfigError
from ferserve.sources.images import ImageLike, payload_of, raw_image
from ferserve.sources.web_image import fetch_image
from ferserve.types import Frame

if TYPE_CHECKING:
    import cv2

VideoSource: TypeAlias = int | str | os.PathLike[str]
"""A camera's index, the path of a video or an image, or a URL."""

_LARGEST_CAMERA = 2**31 - 1
"""OpenCV holds a camera's index in a C int, with the number of a driver in its hundreds."""

_IMAGE_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM")

_MOTION_JPEG = (".mjpeg", ".mjpg")
"""Names of videos that are JPEG after JPEG. Looking for a second one would not tell: photos carry previews."""


@dataclass
class FrameSource:
    """Frames to come; ``live`` where they come at the speed of the world, so that late ones are worth nothing."""

    frames: Iterator[Frame]
    live: bool


def open_source(source: VideoSource | Iterable[ImageLike | Frame]) -> FrameSource:
    """Open a camera, a file or a URL, or wrap an iterable. Frames get ids from 1 on unless they bring their own.

    Raises :class:`ConfigError` where nothing can be opened.
    """
    if isinstance(source, int):
        if not 0 <= source <= _LARGEST_CAMERA:  # OpenCV takes -1 for any camera, and crashes where there is none
            raise ConfigError(f"source must be a camera index from 0 to {_LARGEST_CAMERA}, got {source}")
        return _open_video(source, f"camera {source}")
    if isinstance(source, str | os.PathLike):
        text = os.fspath(source)
        if text.lower().startswith("file://"):
            return _open_file(url2pathname(urlsplit(text).path))
        if "://" in text:
            image = fetch_image(text)
            if image is not None:
                return FrameSource(iter([frame_of(image, 1)]), live=False)
            return _open_video(text, text)
        return _open_file(text)
    if not isinstance(source, Iterable):
        raise ConfigError(
            f"source must be a camera index, a path, a URL or an iterable of images, got {type(source).__name__}"
        )
    return FrameSource((frame_of(item, number) for number, item in enumerate(source, 1)), live=False)


def frame_of(item: ImageLike | Frame, frame_id: int) -> Frame:
    """``item`` itself if it is a frame, otherwise one that was captured now."""
    if isinstance(item, Frame):
        return item
    return Frame(frame_id, payload_of(item), time.time_ns())


def _open_file(path: str) -> FrameSource:
    try:
        recorded = not _is_pipe_or_device(path)
        head = _head_of(path) if recorded else b""
    except OSError as error:
        raise ConfigError(
            f"source must be a readable file, a camera index or a URL, got {path!r}: {error.strerror}"
        ) from None
    if _is_image(head) and not path.lower().endswith(_MOTION_JPEG):
        return FrameSource(iter([frame_of(Path(path), 1)]), live=False)
    return _open_video(path, path, recorded=recorded)


def _is_pipe_or_device(path: str) -> bool:
    mode = os.stat(path).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


def _head_of(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(16)


def _is_image(head: bytes) -> bool:
    return head.startswith(_IMAGE_MAGIC) or (head.startswith(b"RIFF") and head[8:12] == b"WEBP")


def _open_video(source: int | str, name: str, *, recorded: bool = False) -> FrameSource:
    import cv2

    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(0)  # OpenCV's own lines would stand beside our error and say less
    try:
        capture = cv2.VideoCapture(source)
    finally:
        cv2.utils.logging.setLogLevel(level)
    if not capture.isOpened():
        raise ConfigError(f"source must be a video, an image, a camera index or a URL, got {name}: cannot be opened")
    if isinstance(source, str) and capture.get(cv2.CAP_PROP_FRAME_COUNT) > 0:
        recorded = True  # a file behind a URL
    return FrameSource(_video_frames(capture, recorded), live=not recorded)


def _video_frames(capture: cv2.VideoCapture, recorded: bool) -> Iterator[Frame]:
    """Frames of a recording carry its own clock: smoothing must not depend on how fast it is read."""
    import cv2

    started_ns = time.time_ns()
    try:
        frame_id = 0
        while True:
            more, bgr = capture.read()
            if not more:
                return
            frame_id += 1
            at_ms = capture.get(cv2.CAP_PROP_POS_MSEC)
            taken_ns = started_ns + int(at_ms * 1e6) if recorded else time.time_ns()
            yield Frame(frame_id, raw_image(bgr), taken_ns)
    finally:
        capture.release()
