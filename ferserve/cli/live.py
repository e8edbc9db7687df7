"""The live table of a stream."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType

import numpy as np
from numpy.typing import NDArray
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from ferserve.cli.summary import Summary, stages
from ferserve.cli.table import bar_cells, faces_table, plain_console
from ferserve.cli.terminal_picture import TerminalPicture
from ferserve.types import FrameResult

_REFRESH_S = 0.1
_TABLE_ROWS = 4
"""Rows of the table without its faces, and one for the cursor."""


class LiveView:
    """Shows each result as it comes, then the summary. A context manager."""

    def __init__(self, title: str, console: Console | None = None) -> None:
        self.summary = Summary()
        self._title = title
        self._console = console or plain_console()
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._drawn = 0.0

    def __enter__(self) -> LiveView:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()
        self._console.print(Text(self._title, style="bold"))
        self._console.print(self.summary.table())

    def show(self, result: FrameResult, pixels: Callable[[], NDArray[np.uint8] | None] | None = None) -> None:
        """Count ``result`` and draw it, unless something was drawn a moment ago.

        ``pixels`` gives the frame, uint8 (H, W, 3) in BGR order, to be drawn above.
        """
        self.summary.add(result)
        now = time.monotonic()
        if result.ok and now - self._drawn >= _REFRESH_S:
            bgr = pixels() if pixels else None
            drawing = self._drawing(result)
            if bgr is not None:
                rows = self._console.height - _TABLE_ROWS - len(result.faces)
                drawing = Group(TerminalPicture(bgr, result, rows), drawing)
            self._live.update(drawing, refresh=True)
            self._drawn = time.monotonic()

    def _drawing(self, result: FrameResult) -> Group:
        head = Text.assemble(
            (self._title, "bold"),
            f"  frame {result.frame_id}, {self.summary.recent_fps:.1f} FPS, "
            f"{sum(self.summary.dropped.values())} dropped",
        )
        cells = bar_cells(self._console)
        body = (
            faces_table(result.faces, tracked=True, bar_cells=cells) if result.faces else Text("no face", style="dim")
        )
        return Group(head, body, Text(f"ms: {stages(result.timings)}", style="dim"))
