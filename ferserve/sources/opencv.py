"""What OpenCV reads: cameras, and videos if PyAV is not installed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferserve.errors import ConfigError, SourceLostError
from ferserve.sources.arrays import raw_image
from ferserve.sources.capture_clock import CaptureClock
from ferserve.sources.clock import RecordingClock
from ferserve.types import Frame, FrameFault, FrameResult, RawImage

log = logging.getLogger("ferserve.sources")

_BLIND = "black throughout: OpenCV cannot show interlaced video; install PyAV (pip install av)"


def open_capture(source: int | str, name: str) -> Any:
    """A ``cv2.VideoCapture``; raises :class:`ConfigError`."""
    if isinstance(source, str):
        log.warning(
            "PyAV is not installed, so OpenCV reads %s: it does not show interlaced video or come back to a lost "
            "source; pip install av",
            name,
        )
        if not source.isprintable() or "%" in source:
            raise ConfigError(f"source must have a plain name without PyAV, got {name}; rename it or pip install av")
    return _open(source, name)


def require_visible(path: str, name: str) -> None:
    """Raises :class:`ConfigError` for a file whose frames OpenCV cannot show.

    Its ``read()`` returns True for a frame that it failed to convert, and with it whatever is in the memory of its
    buffer. So two captures must agree on the first frame.
    """
    captures = [_open(path, name) for _ in range(2)]
    (_, first), (_, again) = [capture.read() for capture in captures]
    for capture in captures:
        capture.release()
    if first is not None and not (first == again).all():
        raise ConfigError(
            f"source must be progressive without PyAV, got {name}: OpenCV cannot show interlaced video; pip install av"
        )


def _open(source: int | str, name: str) -> Any:
    import cv2

    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(0)  # OpenCV's own lines would stand beside our error and say less
    try:
        capture = cv2.VideoCapture(source)
    finally:
        cv2.utils.logging.setLogLevel(level)
    if not capture.isOpened():
        raise ConfigError(f"source must be a video, an image, a camera index or a URL, got {name}: cannot be opened")
    return capture


@dataclass(frozen=True, slots=True)
class CapturedPicture:
    """uint8 (H, W, 3) BGR of a camera."""

    bgr: NDArray[np.uint8]
    capture_time_ns: int

    def payload(self) -> RawImage:
        """The picture as it is."""
        return raw_image(self.bgr)


class CaptureConnection:
    """A camera, or a network source, that OpenCV has opened."""

    def __init__(self, capture: Any, name: str) -> None:
        self._capture = capture
        self._name = name

    def pictures(self, clock: CaptureClock) -> Iterator[CapturedPicture]:
        """Pictures with the time of their arrival; raises :class:`SourceLostError` when they stop."""
        clock.restart()
        while True:
            more, bgr = self._capture.read()
            if not more:
                raise SourceLostError(f"source must give frames, got none from {self._name}; check its connection")
            yield CapturedPicture(bgr, clock.time_ns(None))

    def close(self) -> None:
        """Let go of it."""
        self._capture.release()


def live_frames(capture: Any, name: str, numbers: Iterator[int]) -> Iterator[Frame | FrameResult]:
    """Every frame with the time of its arrival; raises :class:`SourceLostError` when they stop."""
    connection = CaptureConnection(capture, name)
    try:
        for picture in connection.pictures(CaptureClock()):
            yield Frame(next(numbers), picture.payload(), picture.capture_time_ns)
    finally:
        connection.close()


def recorded_frames(capture: Any, name: str, numbers: Iterator[int]) -> Iterator[Frame | FrameResult]:
    """Frames with the recording's own time; what OpenCV cannot read or leaves black is a fault in its place."""
    import cv2

    clock = RecordingClock(capture.get(cv2.CAP_PROP_FPS) or None)
    total = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    try:
        for number in numbers:
            more, bgr = capture.read()
            if not more and number > total:
                return
            if not more or not bgr.any():
                why = f"frame of {name} must be readable, got one that is " + (_BLIND if more else "damaged")
                yield FrameResult(number, fault=FrameFault("unreadable", why))
                continue
            at_ms = capture.get(cv2.CAP_PROP_POS_MSEC)
            yield Frame(number, raw_image(bgr), clock.time_ns(None if at_ms <= 0 else _seconds(at_ms)))
    finally:
        capture.release()


def _seconds(at_ms: float) -> Any:
    from fractions import Fraction

    return Fraction(at_ms) / 1000
