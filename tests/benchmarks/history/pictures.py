"""The history as pictures for pages that show no HTML: one per figure, light and dark."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from tests.benchmarks.history.lines import History, Line
from tests.benchmarks.history.panels import FIGURES, Figure, Panel, panel, titles

COLUMNS = 5
THEMES = {
    "light": {"paper": "#ffffff", "ink": "#1c2330", "rule": "#c4cbd6", "ratio": "#0b5cad"},
    "dark": {"paper": "#12161d", "ink": "#e6e9ef", "rule": "#3b4451", "ratio": "#7cb8ff"},
}
THEMES["light"] |= {"instructions": "#a3360a", "fps": "#1f6b3a"}
THEMES["dark"] |= {"instructions": "#ffab7d", "fps": "#7fd79c"}
STYLES = {"ratio": "-", "instructions": "--", "fps": ":"}


def write_pictures(history: History, folder: Path, stem: str) -> list[Path]:
    """``STEM-FIGURE-THEME.png``; classes of machines stand one below the other."""
    written = []
    for figure in FIGURES:
        for theme, colors in THEMES.items():
            path = folder / f"{stem}-{figure.key}-{theme}.png"
            path.write_bytes(_picture(history, figure, colors))
            written.append(path)
    return written


def _picture(history: History, figure: Figure, colors: dict[str, str]) -> bytes:
    from matplotlib.figure import Figure as Canvas

    found = {name: _panels(lines, figure) for name, lines in history.classes.items()}
    heights = [0.5 + 1.35 * math.ceil(len(panels) / COLUMNS) for panels in found.values()]
    canvas = Canvas(figsize=(14, sum(heights)), dpi=90, facecolor=colors["paper"], layout="constrained")
    parts = canvas.subfigures(len(found), 1, height_ratios=heights, squeeze=False) if found else []
    for (part,), (name, panels) in zip(parts, found.items(), strict=True):
        part.set_facecolor(colors["paper"])
        part.suptitle(f"{figure.name}, {figure.better}; {name}", color=colors["ink"], fontsize=12)
        axes = list(part.subplots(math.ceil(len(panels) / COLUMNS), COLUMNS, squeeze=False).flat)
        for ax, shown in zip(axes, panels, strict=False):
            _draw(ax, shown, colors)
        for ax in axes[len(panels) :]:
            ax.set_axis_off()
    return _compressed(canvas)


def _panels(lines: Sequence[Line], figure: Figure) -> list[Panel]:
    return [found for title in titles(lines) if (found := panel(lines, title, figure))]


def _draw(ax: Any, shown: Panel, colors: dict[str, str]) -> None:
    figure, ink = shown.figure, colors["ink"]
    color = colors[figure.key]
    low, high = shown.bounds()
    ax.set_yscale("log")
    ax.set(xlim=(-0.5, len(shown.points) - 0.5), ylim=(low, high), facecolor=colors["paper"])
    for run in shown.runs():
        values = [shown.points[i].value for i in run]
        ax.plot(run, values, STYLES[figure.key], marker=figure.marker, color=color, markersize=4, linewidth=1.3)
    for i, point in enumerate(shown.points):
        if point.spread:
            ax.plot([i, i], point.spread, color=color, linewidth=2.5, alpha=0.4)
        if point.value is None:
            ax.plot(i, 0.08, "x", color=ink, markersize=4, transform=ax.get_xaxis_transform())
    ax.set_title(shown.title, color=ink, fontsize=8, loc="left")
    ax.tick_params(which="both", bottom=False, labelbottom=False, left=False, labelleft=False)
    ends = [(1.0, "top", high), (0.0, "bottom", low)]
    for y, side, value in ends:
        ax.text(1.0, y, figure.text(value), transform=ax.transAxes, ha="right", va=side, fontsize=6.5, color=ink)
    for spine in ax.spines.values():
        spine.set_color(colors["rule"])


def _compressed(canvas: Any) -> bytes:
    """With a palette: a third of the bytes."""
    raw = io.BytesIO()
    canvas.savefig(raw, format="png", facecolor=canvas.get_facecolor())
    small = io.BytesIO()
    Image.open(raw).convert("RGB").quantize(48).save(small, "PNG", optimize=True)
    return small.getvalue()
