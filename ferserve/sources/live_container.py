"""A live video that PyAV reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ferserve.sources.arrays import raw_image
from ferserve.sources.capture_clock import CaptureClock
from ferserve.sources.container import VideoContainer
from ferserve.sources.falling_behind import FallingBehind
from ferserve.sources.pixels import time_of, upright_bgr
from ferserve.types import RawImage

if TYPE_CHECKING:
    from av import VideoFrame


@dataclass(frozen=True, slots=True)
class DecodedPicture:
    """A decoded frame; its pixels are converted if they are asked for."""

    frame: VideoFrame
    capture_time_ns: int

    def payload(self) -> RawImage:
        """Upright BGR."""
        return raw_image(upright_bgr(self.frame))


class LiveContainer:
    """The connection to a camera or a URL that has no length."""

    def __init__(self, container: VideoContainer) -> None:
        self._container = container
        container.read_only_video()

    def pictures(self, clock: CaptureClock) -> Iterator[DecodedPicture | str]:
        """Its pictures with times by ``clock``, and a message in place of each that cannot be read.

        Raises :class:`SourceLostError`.
        """
        clock.restart()
        for item in self._container.pictures(FallingBehind()):
            if isinstance(item, str):
                yield item
            else:
                yield DecodedPicture(item, clock.time_ns(time_of(item) if self._container.has_times else None))

    def close(self) -> None:
        """Hang up."""
        self._container.close()
