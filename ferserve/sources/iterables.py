"""Frames of what an iterable yields: their numbers, their times, their pictures."""

from __future__ import annotations

import math
import numbers
import warnings
from dataclasses import replace
from typing import Any, TypeAlias

from ferserve.errors import FerserveError, FrameTimeWarning, InvalidFrameError, InvalidOptionsError
from ferserve.sources.capture_clock import CaptureClock
from ferserve.sources.images import Color, ImageLike, payload_of
from ferserve.types import Crops, EncodedImage, Frame, FrameFault, FrameResult, RawImage

TimedImage: TypeAlias = tuple[float, ImageLike]
"""When a picture was taken, s on any clock, and the picture."""

StreamItem: TypeAlias = ImageLike | TimedImage | Frame | FrameResult
"""What iterables may hold. A result stands for a frame that could not be read, and is passed on in its place."""

_MAX_FPS = 100_000.0
_MAX_TIME_S = 2**63 / 1e9
_PAYLOADS = (EncodedImage, RawImage, Crops)


class FrameMaker:
    """Makes the frames of one stream, in order. What is no picture becomes a fault on its own frame."""

    def __init__(self, fps: float | None = None, color: Color = "bgr") -> None:
        """``fps`` is the rate of items without a time; None stamps them with their arrival. Raises
        :class:`InvalidOptionsError`.
        """
        if fps is not None and not 0 < fps <= _MAX_FPS:
            raise InvalidOptionsError(f"fps must be above 0 and at most {_MAX_FPS:g}, got {fps:g}")
        if color not in ("bgr", "rgb"):
            raise InvalidOptionsError(f"color must be 'bgr' or 'rgb', got {color!r}")
        self.fps = fps
        self._color: Color = color
        self._arrivals = CaptureClock()
        self._untimed = 0
        self._last_s = -math.inf

    def make(self, item: StreamItem, number: int) -> Frame | FrameResult:
        """The frame of ``item``, the ``number``-th from 1 on, which is its id unless it brings its own."""
        if isinstance(item, FrameResult):
            return item
        frame_id = item.frame_id if isinstance(item, Frame) else number
        try:
            return self._make(item, number)
        except FerserveError as error:
            return FrameResult(frame_id, fault=FrameFault(error.kind, str(error)))
        except OSError as error:
            return FrameResult(frame_id, fault=FrameFault("unreadable", str(error)))

    def _make(self, item: Any, number: int) -> Frame:
        if isinstance(item, Frame):
            if not isinstance(item.payload, _PAYLOADS):
                item = replace(item, payload=payload_of(item.payload, self._color))
            if item.capture_time_ns or self.fps is None:
                return item
            return replace(item, capture_time_ns=self._evenly_spaced_ns(item.frame_id))
        if isinstance(item, tuple):
            time_s, image = _pair(item)
            return Frame(number, payload_of(image, self._color), self._told_ns(time_s, number))
        payload = payload_of(item, self._color)
        return Frame(
            number, payload, self._arrivals.time_ns(None) if self.fps is None else self._evenly_spaced_ns(number), None
        )

    def note_arrival(self, item: StreamItem) -> None:
        """Warn once of pictures without a time."""
        if self.fps is None and not isinstance(item, tuple | Frame | FrameResult):
            self._untimed += 1
            if self._untimed == 2:
                warnings.warn(
                    "frames without a time are stamped with their arrival, which is right for live pictures only; pass "
                    "fps=, or (time_s, image) pairs",
                    FrameTimeWarning,
                    stacklevel=2,
                )

    def _evenly_spaced_ns(self, number: int) -> int:
        assert self.fps is not None
        return max(round((number - 1) * 1e9 / self.fps), 1)  # 0 means that the time is unknown

    def _told_ns(self, time_s: float, number: int) -> int:
        stands_still, self._last_s = time_s <= self._last_s, time_s
        if stands_still:
            if self.fps is not None:
                return self._evenly_spaced_ns(number)
            warnings.warn(
                f"times of frames must rise, got {time_s:g} s, which stands still or goes back; pass fps= if the "
                "source has no clock",
                FrameTimeWarning,
                stacklevel=2,
            )
        return round(time_s * 1e9) or 1


def _pair(item: tuple[Any, ...]) -> tuple[float, Any]:
    if len(item) != 2 or isinstance(item[0], bool) or not isinstance(item[0], numbers.Real):
        kinds = ", ".join(type(part).__name__ for part in item)
        raise InvalidFrameError(
            f"frame must be an image or a pair (time_s, image), got ({kinds}); of a camera's read() pass "
            "the image alone"
        )
    time_s = float(item[0])
    if not abs(time_s) < _MAX_TIME_S:  # nor if it is NaN
        raise InvalidFrameError(f"time_s must be a number of seconds, got {time_s}")
    return time_s, item[1]
