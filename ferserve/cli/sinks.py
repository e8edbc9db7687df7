"""Where the results of a stream go: JSON lines, plain lines, a live table, a window."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator
from types import TracebackType

from ferserve.rendering import json as report
from ferserve.types import Frame, FrameResult


class Sink:
    """Takes results one by one. A context manager; this one prints a line a result."""

    closed = False
    """True once the user wants to see no more."""

    def __init__(self, json: bool) -> None:
        self._json = json

    def __enter__(self) -> Sink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to put away."""

    def watch(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """``frames``, seen on their way to the engine."""
        return frames

    def show(self, result: FrameResult) -> None:
        """Take one result."""
        if self._json:
            print(report.json_line("frame_id", result.frame_id, result), flush=True)
        else:
            print(report.text_line(f"frame {result.frame_id}", result), flush=True)


class TableSink(Sink):
    """The live table."""

    def __init__(self, title: str) -> None:
        from ferserve.cli.live import LiveView

        super().__init__(json=False)
        self._view = LiveView(title)

    def __enter__(self) -> TableSink:
        self._view.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._view.__exit__(kind, error, trace)

    def show(self, result: FrameResult) -> None:
        """See :class:`Sink`."""
        self._view.show(result)


class WindowSink(Sink):
    """The frames themselves, with what was found in them."""

    def __init__(self, title: str) -> None:
        from ferserve.cli.window import FrameWindow

        super().__init__(json=False)
        self._window = FrameWindow(title)
        self._frames: deque[Frame] = deque()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._window.close()

    def watch(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Remembers the frames until their results come; results come in the same order."""
        for frame in frames:
            self._frames.append(frame)
            yield frame

    def show(self, result: FrameResult) -> None:
        """See :class:`Sink`; dropped frames are not drawn."""
        from ferserve.cli.window import bgr_of

        while self._frames and self._frames[0].frame_id < result.frame_id:
            self._frames.popleft()
        if result.ok and self._frames and (bgr := bgr_of(self._frames[0])) is not None:
            self._window.show(bgr, result)
        self.closed = self._window.closed


def open_sink(title: str, *, json: bool, show: bool) -> Sink:
    """The sink that the flags ask for; without any, a live table in a terminal and lines elsewhere."""
    if show:
        return WindowSink(title)
    if not json and sys.stdout.isatty():
        return TableSink(title)
    return Sink(json)
