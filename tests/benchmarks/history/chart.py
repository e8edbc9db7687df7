"""A panel as SVG: the values of a point appear where the pointer or the keyboard's focus is, without a script."""

from __future__ import annotations

import math
from html import escape

from tests.benchmarks.history.panels import Panel, Point

WIDTH, HEIGHT = 300, 104
LEFT, RIGHT, TOP, BOTTOM = 6, 236, 24, 84
EDGE = 296
"""Where the values of the axis end, beside the points."""


def chart(panel: Panel) -> str:
    """One ``<svg>`` element."""
    figure = panel.figure
    count = len(panel.points)
    step = (RIGHT - LEFT) / count
    low, high = panel.bounds()
    at = [LEFT + step * (i + 0.5) for i in range(count)]

    def height(value: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * math.log(value / low) / math.log(high / low)

    joined = [[(at[i], height(panel.points[i].value or low)) for i in run] for run in panel.runs()]
    lines = [f'<polyline class="line" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in run)}"/>' for run in joined]
    columns = [_column(panel, i, at[i], step, height) for i in range(count)]
    _, last, value = panel.measured[-1]
    latest = f"latest, {last.line['revision'][:7]}: {figure.text(value)}"
    days = [panel.points[0].day, panel.points[-1].day]
    return (
        f'<svg class="{figure.key}" viewBox="0 0 {WIDTH} {HEIGHT}" role="group" '
        f'aria-label="{escape(panel.title)}, {escape(figure.name)}; {escape(latest)}">'
        f'<path class="frame" d="M{LEFT} {TOP}H{RIGHT}M{LEFT} {BOTTOM}H{RIGHT}"/>'
        f'<text class="latest" x="{LEFT}" y="14">{escape(latest)}</text>'
        f'<text class="axis" x="{EDGE}" y="{TOP + 4}" text-anchor="end">{figure.text(high)}</text>'
        f'<text class="axis" x="{EDGE}" y="{BOTTOM + 3}" text-anchor="end">{figure.text(low)}</text>'
        f'<text class="axis" x="{LEFT}" y="{HEIGHT - 6}">{days[0]}</text>'
        f'<text class="axis" x="{RIGHT}" y="{HEIGHT - 6}" text-anchor="end">{days[1]}</text>'
        f"{''.join(lines)}{''.join(columns)}</svg>"
    )


def _column(panel: Panel, place: int, x: float, step: float, height: object) -> str:
    point = panel.points[place]
    assert callable(height)
    mark = _cross(x) if point.value is None else _whisker(point, x, height) + _mark(panel, x, height(point.value))
    return (
        f'<g class="point" tabindex="0"><rect class="hit" x="{x - step / 2:.1f}" y="{TOP}" width="{step:.1f}" '
        f'height="{BOTTOM - TOP}"/>{mark}<text class="tip" x="{LEFT}" y="14">{escape(_tip(panel, point))}</text></g>'
    )


def _tip(panel: Panel, point: Point) -> str:
    head = f"{point.line['revision'][:7]}, {point.day}: "
    if point.value is None:
        return head + "not measured"
    low_high = f" ({point.spread[0]:.3g} to {point.spread[1]:.3g})" if point.spread else ""
    return head + panel.figure.text(point.value) + low_high


def _whisker(point: Point, x: float, height: object) -> str:
    if point.spread is None:
        return ""
    assert callable(height)
    return f'<path class="spread" d="M{x:.1f} {height(point.spread[0]):.1f}V{height(point.spread[1]):.1f}"/>'


def _mark(panel: Panel, x: float, y: float) -> str:
    if panel.figure.marker == "o":
        return f'<circle class="mark" cx="{x:.1f}" cy="{y:.1f}" r="3.2"/>'
    if panel.figure.marker == "s":
        return f'<rect class="mark" x="{x - 3:.1f}" y="{y - 3:.1f}" width="6" height="6"/>'
    return f'<path class="mark" d="M{x - 3.8:.1f} {y + 3:.1f}h7.6l-3.8 -6.8z"/>'


def _cross(x: float) -> str:
    """Not measured: at the foot of the panel."""
    return f'<path class="none" d="M{x - 2.5:.1f} {BOTTOM - 5}l5 -5m0 5l-5 -5"/>'
