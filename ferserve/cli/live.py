"""The live table of a stream."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from ferserve.cli.summary import Summary, stages
from ferserve.cli.table import bar_cells, faces_table, plain_console
from ferserve.types import FrameResult

_REFRESH_S = 0.1


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

    def show(self, result: FrameResult) -> None:
        """Count ``result`` and draw it, unless something was drawn a moment ago."""
        self.summary.add(result)
        now = time.monotonic()
        if result.ok and now - self._drawn >= _REFRESH_S:
            self._drawn = now
            self._live.update(self._drawing(result), refresh=True)

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
