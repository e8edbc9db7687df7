"""Sinks: where the results of a stream go."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator
from types import TracebackType

from ferserve.rendering.json import json_line, text_line
from ferserve.types import Frame, FrameResult


class Sink(ABC):
    """Takes the results of one stream. A context manager."""

    closed = False
    """True after the user closed it: the stream can end."""

    def __enter__(self) -> Sink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Finish the output."""

    def watch(self, frames: Iterator[Frame | FrameResult]) -> Iterator[Frame | FrameResult]:
        """Pass ``frames`` on to the engine; a sink that draws keeps them until their results come."""
        return frames

    @abstractmethod
    def show(self, result: FrameResult) -> None:
        """Take one result; results come in the order of their frames."""


class LineSink(Sink):
    """Prints one line per result, as JSON or as text."""

    def __init__(self, json: bool) -> None:
        self._json = json

    def show(self, result: FrameResult) -> None:
        """See :class:`Sink`."""
        if self._json:
            print(json_line(result), flush=True)
        else:
            print(text_line(f"frame {result.frame_id}", result), flush=True)

    def close(self) -> None:
        """See :class:`Sink`; every line is out already."""


class TableSink(Sink):
    """Shows the newest result in a live table, and a summary at the end."""

    def __init__(self, title: str) -> None:
        from ferserve.cli.live import LiveView

        self._view = LiveView(title)

    def __enter__(self) -> TableSink:
        self._view.__enter__()
        return self

    def close(self) -> None:
        """See :class:`Sink`."""
        self._view.__exit__(None, None, None)

    def show(self, result: FrameResult) -> None:
        """See :class:`Sink`."""
        self._view.show(result)


class WindowSink(Sink):
    """Shows the frames in a window, with their results drawn into them."""

    def __init__(self, title: str) -> None:
        from ferserve.cli.window import FrameWindow

        self._window = FrameWindow(title)
        self._frames: deque[Frame | FrameResult] = deque()

    def close(self) -> None:
        """See :class:`Sink`."""
        self._window.close()

    def watch(self, frames: Iterator[Frame | FrameResult]) -> Iterator[Frame | FrameResult]:
        """See :class:`Sink`."""
        for frame in frames:
            self._frames.append(frame)
            yield frame

    def show(self, result: FrameResult) -> None:
        """See :class:`Sink`; dropped frames are not drawn."""
        from ferserve.rendering.drawing import frame_pixels

        while self._frames and self._frames[0].frame_id < result.frame_id:
            self._frames.popleft()
        if (
            result.ok
            and self._frames
            and isinstance(self._frames[0], Frame)
            and (bgr := frame_pixels(self._frames[0])) is not None
        ):
            self._window.show(bgr, result)
        self.closed = self._window.closed


def open_sink(title: str, *, json: bool, show: bool) -> Sink:
    """The sink that the flags ask for; without flags, a live table in a terminal and lines elsewhere."""
    if show:
        return WindowSink(title)
    if not json and sys.stdout.isatty():
        return TableSink(title)
    return LineSink(json)
