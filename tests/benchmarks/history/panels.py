"""What the page and the pictures show: one panel per subject and figure, one point per revision."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from tests.benchmarks.history.lines import Line


@dataclass(frozen=True)
class Figure:
    """A column of the page. Its marker and its dashes tell it from the others without colour."""

    key: str
    name: str
    unit: str
    better: str
    marker: str
    """matplotlib's letter: o, s or ^."""
    dashes: str
    """Of SVG; empty for a solid line."""

    def text(self, value: float) -> str:
        """The value for people."""
        return f"{value:,.0f}{self.unit}" if value >= 100 else f"{value:.3g}{self.unit}"


FIGURES = (
    Figure("ratio", "times as fast as the yardstick", " x", "higher is better", "o", ""),
    Figure("instructions", "instructions per call", "", "lower is better", "s", "7 3"),
    Figure("fps", "per second (of that minute)", " /s", "higher is better", "^", "2 3"),
)


@dataclass(frozen=True)
class Point:
    """A figure of one revision; without a value, ``why`` says what was missing."""

    line: Line
    value: float | None
    spread: tuple[float, float] | None
    why: str

    @property
    def day(self) -> str:
        """Of the commit."""
        moment = datetime.datetime.fromisoformat(self.line["committed"])
        return f"{moment.day} {moment:%b %H:%M}"


@dataclass(frozen=True)
class Panel:
    """All revisions of one class of machines, the oldest first."""

    title: str
    figure: Figure
    yardstick: str
    points: tuple[Point, ...]

    @property
    def measured(self) -> list[tuple[int, Point, float]]:
        """Place, point and value."""
        return [(i, point, point.value) for i, point in enumerate(self.points) if point.value is not None]

    def runs(self) -> list[list[int]]:
        """Places of neighbours that are joined by a line."""
        runs: list[list[int]] = []
        for i, _, _ in self.measured:
            if runs and runs[-1][-1] == i - 1:
                runs[-1].append(i)
            else:
                runs.append([i])
        return runs

    def bounds(self) -> tuple[float, float]:
        """Of the logarithmic axis. At least a factor of 1.5 from end to end, or noise would look like news."""
        values = [bound for _, point, value in self.measured for bound in (value, *(point.spread or ()))]
        low, high = min(values), max(values)
        room = max(1.05, (1.5 * low / high) ** 0.5)
        return low / room, high * room


def titles(lines: Sequence[Line]) -> list[str]:
    """Of every subject that any line has; the newest line gives the order."""
    found = {title: None for line in reversed(lines) for title in line["subjects"]}
    return sorted(found, key=lambda title: (title.partition(": ")[0], title))


def panel(lines: Sequence[Line], title: str, figure: Figure) -> Panel | None:
    """None if no line has the figure."""
    points = tuple(_point(line, title, figure) for line in lines)
    if all(point.value is None for point in points):
        return None
    yardsticks = [line["subjects"].get(title, {}).get("yardstick", "") for line in lines]
    return Panel(title, figure, next(filter(None, reversed(yardsticks)), ""), points)


def _point(line: Line, title: str, figure: Figure) -> Point:
    row = line["subjects"].get(title, {})
    quartiles = row.get("ratio_quartiles") if figure.key == "ratio" else None
    return Point(line, row.get(figure.key), tuple(quartiles) if quartiles else None, _why(line, title))


def _why(line: Line, title: str) -> str:
    """Of a group that could not be loaded, or of the subject itself."""
    failed = line["failed"]
    return str(failed.get(title) or failed.get(title.partition(":")[0]) or "not measured")
