"""A frame as text: two pixels per character, the upper half of which is drawn over a background."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.color import Color
from rich.console import Console, ConsoleOptions
from rich.segment import Segment
from rich.style import Style

from ferserve.rendering.drawing import face_caption
from ferserve.types import Face, FrameResult

_UPPER_HALF = "▀"
_BOX = (80, 220, 80)
_CAPTION = Style(color="bright_green", bgcolor="black", bold=True)
_MOST_COLUMNS = 160
_LEVELS = 0xF8
"""Five bits per colour: neighbours that differ by less share one command to the terminal."""

Cell = tuple[str, Style]


class TerminalPicture:
    """A renderable of rich: ``bgr``, uint8 (H, W, 3), with the faces of ``result``, as large as fits.

    Rich turns its colours into the 256, 16 or no colours of lesser terminals.
    """

    def __init__(self, bgr: NDArray[np.uint8], result: FrameResult, rows: int) -> None:
        """``rows`` of text are the most that it takes."""
        self._bgr = bgr
        self.result = result
        self._rows = rows

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        height, width = self._bgr.shape[:2]
        scale = min(min(options.max_width, _MOST_COLUMNS) / width, 2 * max(self._rows, 1) / height)
        columns, rows = max(round(width * scale), 1), max(round(height * scale / 2), 1)
        small = cv2.resize(self._bgr, (columns, 2 * rows), interpolation=cv2.INTER_AREA)
        for face in self.result.faces:
            x0, y0, x1, y1 = (round(edge * scale) for edge in face.box)
            cv2.rectangle(small, (x0, y0), (x1, y1), _BOX, 1)
        cells = [_cells(row, console.color_system) for row in (small & _LEVELS).reshape(rows, 2, columns, 3).tolist()]
        for face in self.result.faces:
            _write_caption(cells, face, scale, options.ascii_only)
        for line in cells:
            for style, run in groupby(line, key=lambda cell: cell[1]):
                yield Segment("".join(text for text, _ in run), style)
            yield Segment.line()


def _cells(pair: list[list[list[int]]], colors: str | None) -> list[Cell]:
    upper, lower = pair
    return [
        (_UPPER_HALF, _style(tuple(above), tuple(below), colors)) for above, below in zip(upper, lower, strict=True)
    ]


@lru_cache(maxsize=1 << 15)
def _style(above: tuple[int, ...], below: tuple[int, ...], colors: str | None) -> Style:
    """Two colours in BGR order. A style of rich remembers its commands for ``colors``, so there is one per system."""
    return Style.from_color(Color.from_rgb(*above[::-1]), Color.from_rgb(*below[::-1]))


def _write_caption(cells: list[list[Cell]], face: Face, scale: float, ascii_only: bool) -> None:
    """The id and the label over the box, inside the picture."""
    line = cells[min(max(round(face.box[1] * scale / 2) - 1, 0), len(cells) - 1)]
    caption = f" {face_caption(face)} "
    text = caption.encode("ascii", "replace").decode() if ascii_only else caption
    start = min(max(round(face.box[0] * scale), 0), max(len(line) - len(text), 0))
    for column, sign in enumerate(text[: len(line)], start):
        line[column] = (sign, _CAPTION)
