"""Where the results of commands are shown: text, JSON, tables, a window or the terminal."""

from __future__ import annotations

import sys

from rich.text import Text

from ferserve.errors import ConfigError
from ferserve.rendering.json import json_line, text_line
from ferserve.sinks.frames_by_id import FramesById
from ferserve.sinks.sink import Sink
from ferserve.types import Frame, FrameResult


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
        self._show(result)

    def _show(self, result: FrameResult) -> None:
        self._view.show(result)

    def end(self, source: str) -> None:
        """See :class:`Sink`."""
        if self._shown:
            self._view.__exit__(None, None, None)


class TerminalSink(TableSink):
    """Draws the frames in the terminal, with their results in them and the live table below."""

    def __init__(self) -> None:
        self._frames = FramesById()

    def start(self, source: str) -> None:
        """See :class:`Sink`."""
        self._frames.clear()
        super().start(source)

    def frame(self, source: str, frame: Frame) -> None:
        """See :class:`Sink`."""
        self._frames.add(frame)

    def _show(self, result: FrameResult) -> None:
        from ferserve.rendering.drawing import frame_pixels

        frame = self._frames.take(result)
        self._view.show(result, (lambda: frame_pixels(frame)) if frame is not None else None)


class WindowSink(Sink):
    """Shows the frames in a window, with their results drawn into them."""

    def __init__(self) -> None:
        from ferserve.cli.window import FrameWindow

        self._window = FrameWindow()
        self._frames = FramesById()

    def start(self, source: str) -> None:
        """See :class:`Sink`."""
        self._frames.clear()
        self._window.name(source)

    def frame(self, source: str, frame: Frame) -> None:
        """See :class:`Sink`."""
        self._frames.add(frame)

    def result(self, source: str, result: FrameResult) -> None:
        """See :class:`Sink`; dropped frames are not drawn."""
        from ferserve.rendering.drawing import frame_pixels

        frame = self._frames.take(result)
        if result.ok and frame is not None and (bgr := frame_pixels(frame)) is not None:
            self._window.show(bgr, result)
        self.closed = self._window.closed

    def close(self) -> None:
        """See :class:`Sink`."""
        self._window.close()


def display(*, json: bool, show: str | None, several: bool) -> Sink:
    """The sink that is seen. ``show`` is ``auto``, ``window``, ``terminal`` or None.

    Without flags it is a live table in a terminal, and lines elsewhere. Raises :class:`ConfigError`.
    """
    if show is not None:
        return _picture_display(show)
    if json:
        return JsonSink()
    return TableSink() if sys.stdout.isatty() else LineSink(several)


def _picture_display(show: str) -> Sink:
    if show == "terminal":
        return TerminalSink()
    try:
        return WindowSink()
    except ConfigError as error:
        if show == "window":
            raise
        if sys.stdout.isatty():
            return TerminalSink()
        raise ConfigError(f"{error}; or run it in a terminal, which can show pictures too") from None
