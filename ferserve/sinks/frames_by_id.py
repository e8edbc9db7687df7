"""Frames on their way through an engine, for outputs that draw results into them."""

from __future__ import annotations

from collections import deque

from ferserve.types import Frame, FrameResult


class FramesById:
    """Frames that wait for their results. One thread adds, another takes."""

    def __init__(self) -> None:
        self._frames: deque[Frame] = deque()

    def clear(self) -> None:
        """A new source begins."""
        self._frames = deque()

    def add(self, frame: Frame) -> None:
        """``frame`` went to the engine."""
        self._frames.append(frame)

    def take(self, result: FrameResult) -> Frame | None:
        """The frame of ``result``; those before it are forgotten."""
        while self._frames and self._frames[0].frame_id < result.frame_id:
            self._frames.popleft()
        return self._frames.popleft() if self._frames and self._frames[0].frame_id == result.frame_id else None
