"""What one frame may cost: pixels, the memory that its decoding writes, and time. All but the time is known before.

Memory stands for time too: no decoder here takes longer than 4 ns per byte that it writes (docs/decisions/0064).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from ferserve.errors import InvalidFrameError

SMALL_FRAME_BYTES = 65_536
"""Frames of up to this size may all grow to the same size: a black picture of any codec is small."""
DECODING_BYTES_PER_MS = 250_000
"""What the slowest decoder writes in a millisecond, with room for a slower processor."""
MAX_SIDE_PX = 65_535
"""Detectors and kernels count no further."""


class FrameAbandonedError(Exception):
    """Nobody waits for the answer any more; no error of a frame, and never seen outside of the engine."""


@dataclass(frozen=True, slots=True)
class FrameLimits:
    """Bounds on what one frame may cost. See :class:`ferserve.config.EngineConfig`."""

    max_pixels: int
    """Of all images of the frame together."""
    max_expansion: int = 768
    """Bytes that decoding may write per byte of the frame, or of 64 KB if the frame is smaller."""
    max_frame_ms: float = 2000.0
    """Processor time of the frame."""


def _wanted() -> bool:
    return False


class FrameBudget:
    """What is left to one frame. For the thread that works on the frame."""

    def __init__(self, limits: FrameLimits, frame_bytes: int, abandoned: Callable[[], bool] = _wanted) -> None:
        """``frame_bytes`` is the size of the frame as it was sent; ``abandoned`` says that its client is gone."""
        self._limits = limits
        self._abandoned = abandoned
        self._pixels_left = limits.max_pixels
        by_size = max(frame_bytes, SMALL_FRAME_BYTES) * limits.max_expansion
        by_time = limits.max_frame_ms * DECODING_BYTES_PER_MS
        self._max_bytes = self._bytes_left = int(min(by_size, by_time))
        self._setting = "engine.max_frame_ms" if by_time < by_size else "engine.max_expansion"
        self._began_ns = time.monotonic_ns()
        self._began_working_ns = time.thread_time_ns()

    def take_pixels(self, width: int, height: int) -> None:
        """Raises :class:`InvalidFrameError` if an image of this size is one too large, or one too many."""
        limit, pixels = self._limits.max_pixels, width * height
        if pixels > limit:
            raise InvalidFrameError(f"frame must be at most {limit} px, got {width}x{height}; scale it down")
        if max(width, height) > MAX_SIDE_PX:
            raise InvalidFrameError(
                f"frame must be at most {MAX_SIDE_PX} px wide and high, got {width}x{height}; scale it down"
            )
        self._pixels_left -= pixels
        if self._pixels_left < 0:
            raise InvalidFrameError(
                f"images of a frame must have at most {limit} px together, got {limit - self._pixels_left} with one of "
                f"{width}x{height}; send them in parts"
            )

    def take_decoding(self, codec: str, size_bytes: int) -> None:
        """Raises :class:`InvalidFrameError` if decoding writes more than ``size_bytes`` that are left to the frame."""
        self._bytes_left -= size_bytes
        if self._bytes_left < 0:
            raise InvalidFrameError(
                f"frame must take at most {self._max_bytes} bytes of memory to decode ({self._setting}), got "
                f"{self._max_bytes - self._bytes_left} for a {codec.upper()}; scale it down, or send a plainer file"
            )

    def check(self, stage: str) -> None:
        """Give up before ``stage`` if nobody waits for the answer, or the frame took too long already.

        Raises :class:`FrameAbandonedError` and :class:`InvalidFrameError`. The time is that of the processor, as long
        as the machine can tell: a frame that had to wait for others is not at fault.
        """
        if self._abandoned():
            raise FrameAbandonedError
        limit_ns = self._limits.max_frame_ms * 1e6
        if time.monotonic_ns() - self._began_ns > limit_ns and self._worked_ns() > limit_ns:
            raise InvalidFrameError(
                f"frame must take at most {self._limits.max_frame_ms:g} ms of a processor (engine.max_frame_ms), got "
                f"{self._worked_ns() / 1e6:.3g} ms before the stage {stage!r}; scale it down"
            )

    def _worked_ns(self) -> int:
        return time.thread_time_ns() - self._began_working_ns
