"""The frames of one source that are to be looked at, with their times."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Protocol

from ferserve.annotation.job import Look
from ferserve.annotation.planes import yuv_picture
from ferserve.rendering.drawing import frame_pixels
from ferserve.rendering.yuv import Colors, YuvPicture, i420_of_bgr
from ferserve.sources.arrays import raw_image
from ferserve.sources.capture_clock import CaptureClock
from ferserve.sources.clock import RecordingClock
from ferserve.sources.pixels import time_of, upright_bgr, upright_luma
from ferserve.sources.source import FrameSource
from ferserve.types import Frame, FrameFault, FrameResult

if TYPE_CHECKING:
    from av import VideoFrame

    from ferserve.sources.container import VideoContainer

_LIVE_TIME_BASE = Fraction(1, 90_000)
"""Of sources without one of their own; common frame rates divide it."""


@dataclass(frozen=True)
class Shot:
    """One frame to look at."""

    frame: Frame
    """For the engine; its time counts from the first frame."""
    time_ns: int
    """In the container, or of its arrival."""
    picture: Callable[[], YuvPicture | None]
    """Makes the pixels to draw into; None if there are none."""


class Recording(Protocol):
    """An opened source."""

    live: bool
    time_base: Fraction
    """Seconds per unit of its times."""

    def shots(self, look: Look, color: bool, after: int) -> Iterator[Shot | FrameResult]:
        """The frames to look at that come after number ``after``, with a fault in place of each damaged one.

        ``color`` if the engine needs more than luma. Raises :class:`SourceLostError` if it breaks off.
        """

    def share(self, time_ns: int, look: Look) -> float | None:
        """How much of it is over at a time, 0 to 1; None if nothing tells its length."""

    def close(self) -> None:
        """Close it before its end."""


def recording_of(source: FrameSource) -> Recording:
    """What :func:`open_source` opened."""
    return ContainerRecording(source.container) if source.container else FrameRecording(source)


class ContainerRecording:
    """A video that PyAV reads."""

    live = False

    def __init__(self, container: VideoContainer) -> None:
        self._container = container
        self.time_base, self.start_s, self.end_s = container.time_base, container.start_s, container.end_s

    def shots(self, look: Look, color: bool, after: int) -> Iterator[Shot | FrameResult]:
        """See :class:`Recording`."""
        clock = ContainerClock(self._container.fps)
        number, begun = 0, look.start_s is None
        for item in self._container.pictures():
            if isinstance(item, str):
                number += begun
                if number > after and begun:
                    yield FrameResult(number, clock.now_ns, fault=FrameFault("unreadable", item))
                continue
            at_s = time_of(item)
            begun = begun or round((at_s or 0) * 10**9) >= look.start_ns
            if not begun:
                continue
            number += 1
            clock.advance(at_s)
            if clock.now_ns >= look.end_ns:
                return self.close()
            if number > after and (number - 1) % look.every == 0:
                yield self._shot(item, number, clock, color)

    def share(self, time_ns: int, look: Look) -> float | None:
        """See :class:`Recording`."""
        ends = [end for end in (look.end_s, self.end_s) if end is not None]
        start_s = look.start_s or self.start_s
        if not ends or min(ends) <= start_s:
            return None
        return min(max((time_ns / 1e9 - start_s) / (min(ends) - start_s), 0.0), 1.0)

    def close(self) -> None:
        """See :class:`Recording`."""
        self._container.close()

    def _shot(self, item: VideoFrame, number: int, clock: ContainerClock, color: bool) -> Shot:
        luma = None if color else upright_luma(item)
        payload = raw_image(upright_bgr(item) if luma is None else luma)
        aspect = self._container.pixel_aspect
        return Shot(Frame(number, payload, clock.since_ns), clock.now_ns, partial(yuv_picture, item, aspect))


class ContainerClock:
    """The times of a recording's frames: the container's, as long as they rise."""

    def __init__(self, fps: Fraction | None) -> None:
        self._clock = RecordingClock(fps)
        self._first_ns: int | None = None
        self.since_ns = self.now_ns = 0
        """Of the frame that came last, since the first one, from 1 on; and in the container."""

    def advance(self, at_s: Fraction | None) -> None:
        """Take the time of the next frame, s."""
        self.since_ns = self._clock.time_ns(at_s)
        if self._first_ns is None:
            self._first_ns = 0 if at_s is None else round(at_s * 10**9)
            self.now_ns = self._first_ns
        else:
            self.now_ns = self._first_ns + self.since_ns


class FrameRecording:
    """A camera, a live stream, a picture or a sequence of pictures."""

    time_base = _LIVE_TIME_BASE

    def __init__(self, source: FrameSource) -> None:
        self._source = source
        self.live = source.live

    def shots(self, look: Look, color: bool, after: int) -> Iterator[Shot | FrameResult]:
        """See :class:`Recording`."""
        first_ns: int | None = None
        arrivals = CaptureClock()
        for number, item in enumerate(self._source.frames, 1):
            at_ns = arrivals.time_ns(None) if isinstance(item, FrameResult) else item.capture_time_ns
            if first_ns is None:
                first_ns = at_ns
            since_ns = at_ns - first_ns
            if since_ns >= look.end_ns:
                return
            if number <= after or since_ns < look.start_ns:
                continue
            if isinstance(item, FrameResult):
                yield FrameResult(number, since_ns, fault=item.fault, dropped=item.dropped)
            elif (number - 1) % look.every == 0:
                yield Shot(Frame(number, item.payload, max(since_ns, 1)), since_ns, partial(_picture_of, item))

    def share(self, time_ns: int, look: Look) -> float | None:
        """See :class:`Recording`."""
        return None if look.end_s is None else min(time_ns / 1e9 / look.end_s, 1.0)

    def close(self) -> None:
        """See :class:`Recording`."""
        close = getattr(self._source.frames, "close", None)
        if close is not None:
            close()


def _picture_of(frame: Frame) -> YuvPicture | None:
    bgr = frame_pixels(frame)
    return None if bgr is None else YuvPicture(i420_of_bgr(bgr), Colors(), Fraction(1))
