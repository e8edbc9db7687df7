"""Sinks: where the results of a command's sources go.

For each source a command calls ``start``, then ``frame`` and ``result`` for each of its frames, then ``end``.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator
from types import TracebackType

from rich.text import Text

from ferserve.rendering.json import json_line, text_line
from ferserve.types import Frame, FrameResult


class Sink(ABC):
    """Takes the results of one source after the other. A context manager."""

    closed = False
    """True after the user closed it: the command can end."""

    def __enter__(self) -> Sink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self, source: str) -> None:  # noqa: B027, most sinks need not know
        """The frames and results of ``source`` come next."""

    def frame(self, source: str, frame: Frame) -> None:  # noqa: B027
        """``frame`` goes to the engine; called in another thread than the rest, some frames before its result."""

    @abstractmethod
    def result(self, source: str, result: FrameResult) -> None:
        """Take one result; those of a source come in the order of its frames."""

    def end(self, source: str) -> None:  # noqa: B027
        """``source`` has ended, well or not."""

    def close(self) -> None:  # noqa: B027
        """Finish the output."""


def watched(frames: Iterator[Frame | FrameResult], sink: Sink, source: str) -> Iterator[Frame | FrameResult]:
    """``frames``, each of which ``sink`` sees on its way."""
    try:
        for frame in frames:
            if isinstance(frame, Frame):
                sink.frame(source, frame)
            yield frame
    finally:
        close = getattr(frames, "close", None)
        if close is not None:
            close()


class JsonSink(Sink):
    """Prints a JSON object per result."""

    def result(self, source: str, result: FrameResult) -> None:
        """See :class:`Sink`."""
        print(json_line(result, source), flush=True)


class LineSink(Sink):
    """Prints a line of text per result, with a heading per source if there are several."""

    def __init__(self, headings: bool) -> None:
        self._headings = headings

    def start(self, source: str) -> None:
        """See :class:`Sink`."""
        if self._headings:
            print(f"{source}:", flush=True)

    def result(self, source: str, result: FrameResult) -> None:
        """See :class:`Sink`; the fault of a whole source is on stderr."""
        if result.frame_id:
            print(text_line(f"frame {result.frame_id}", result), flush=True)


class PictureSink(Sink):
    """Prints a table of the faces in each picture."""

    def result(self, source: str, result: FrameResult) -> None:
        """See :class:`Sink`; faults are on stderr."""
        from ferserve.cli.table import bar_cells, faces_table, plain_console

        if result.fault is not None:
            return
        console = plain_console()
        size = f"{result.width}x{result.height}, " if result.width else ""  # crops have no frame
        size_and_time = f" {size}{result.timings.total_ms:.1f} ms"
        note = f" ({result.degraded})" if result.degraded else ""
        console.print(Text.assemble((source, "bold"), size_and_time, note), soft_wrap=True)
        if result.faces:
            console.print(faces_table(result.faces, tracked=False, bar_cells=bar_cells(console)))
        else:
            console.print("no face")


class TableSink(Sink):
    """Shows the newest result in a live table, and a summary at the end of each source that could be opened."""

    def start(self, source: str) -> None:
        """See :class:`Sink`."""
        from ferserve.cli.live import LiveView

        self._view = LiveView(source)  # its clock runs from now on
        self._shown = False

    def result(self, source: str, result: FrameResult) -> None:
        """See :class:`Sink`; the fault of a whole source is on stderr."""
        if not result.frame_id:
            return
        if not self._shown:
            self._view.__enter__()
            self._shown = True
        self._view.show(result)

    def end(self, source: str) -> None:
        """See :class:`Sink`."""
        if self._shown:
            self._view.__exit__(None, None, None)


class WindowSink(Sink):
    """Shows the frames in a window, with their results drawn into them."""

    def __init__(self) -> None:
        from ferserve.cli.window import FrameWindow

        self._window = FrameWindow()
        self._frames: deque[Frame] = deque()

    def start(self, source: str) -> None:
        """See :class:`Sink`."""
        self._frames = deque()
        self._window.name(source)

    def frame(self, source: str, frame: Frame) -> None:
        """See :class:`Sink`."""
        self._frames.append(frame)

    def result(self, source: str, result: FrameResult) -> None:
        """See :class:`Sink`; dropped frames are not drawn."""
        from ferserve.rendering.drawing import frame_pixels

        while self._frames and self._frames[0].frame_id < result.frame_id:
            self._frames.popleft()
        known = self._frames and self._frames[0].frame_id == result.frame_id
        if result.ok and known and (bgr := frame_pixels(self._frames[0])) is not None:
            self._window.show(bgr, result)
        self.closed = self._window.closed

    def close(self) -> None:
        """See :class:`Sink`."""
        self._window.close()


def open_sink(*, json: bool, show: bool, several: bool) -> Sink:
    """The sink that the flags of ``stream`` ask for; without flags, a live table in a terminal and lines elsewhere."""
    if show:
        return WindowSink()
    if json:
        return JsonSink()
    return TableSink() if sys.stdout.isatty() else LineSink(several)
