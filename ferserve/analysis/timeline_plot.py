"""Draws what each person showed over time."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ferserve.analysis.part_file import part_file
from ferserve.analysis.row_source import rows_of
from ferserve.analysis.tables import TableLike
from ferserve.analysis.time_axis import time_axis
from ferserve.analysis.timeline import Band, Timeline, readable
from ferserve.errors import TableError, explained_imports, quoted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDTH_IN, _ROW_IN, _BAND_IN, _GAP_IN, _HEAD_IN, _FOOT_IN = 12.0, 0.2, 0.24, 0.42, 0.5, 0.5
_DARK, _LIGHT, _RANGE = "#1b4f8a", "#a9c4e4", "#dde8f4"
"""The steady label, the others, and from least to highest: dark to light, so that a grey print shows it too."""
_LEGEND = "rows: probability, 0 to 1, dark while it is the label  ·  bands: the label, hatched if not sure"
_MIXED = ("#cccccc", "....", "short turns")
"""Several labels in turns that are too short to draw."""
_PANEL_IN, _NARROWEST_IN = 0.895 * _WIDTH_IN, 0.06
_NEEDED = {"source", "frame", "time_s", "outcome", "track", "label", "sure"}
_FORMATS = (".png", ".svg")


def plot_timeline(
    table: TableLike | Timeline,
    *paths: str | os.PathLike[str],
    source: str | None = None,
    persons: int = 8,
    title: str | None = None,
) -> Figure:
    """Draw what each person showed over time: a row per label, and the steady label as a band below them.

    A row is filled up to the probability, dark while its label is the steady one. In long videos a point stands for
    several frames: the fill ends at their mean, a pale range reaches from their least to their highest probability.
    Bands that are not sure are hatched. All of it can be read without colour.

    Args:
        table: Results, a path or a table of one video (see :func:`ferserve.analysis.to_pandas`), or a timeline of it.
        paths: Files to write, ``.png`` or ``.svg``. Equal tables give files of equal bytes.
        source: Name of the video, for results; from a table only its rows are taken.
        persons: Most persons to draw, those seen longest; a line below says how many more there are.
        title: What to write above; by default the name of the source.

    Returns:
        The figure, to be changed or shown; it belongs to no window.

    Raises:
        TableError: It is no table of faces, holds several sources, or a path has another suffix.
        ValueError: ``persons`` is less than 1.
        MissingPackageError: The extra ``analysis`` is not installed.
        OSError: A file cannot be written.
    """
    if persons < 1:
        raise ValueError(f"persons must be at least 1, got {persons}")
    files = [Path(path) for path in paths]
    for file in files:
        if file.suffix not in _FORMATS:
            raise TableError(f"path must end with {' or '.join(_FORMATS)}, got {quoted(file.name)}")
    timeline, name = (table, source) if isinstance(table, Timeline) else _timeline_of(table, source)
    with explained_imports():
        from matplotlib.figure import Figure
    figure = _draw(Figure, timeline, persons, title if title is not None else name or "")
    for file in files:
        save_figure(figure, file)
    return figure


def _timeline_of(table: TableLike, source: str | None) -> tuple[Timeline, str | None]:
    timeline, name, first = Timeline(), source, True
    for row in rows_of(table, source, lambda column: column in _NEEDED or column.startswith("p_")):
        if first:
            name, first = row.get("source"), False
        elif row.get("source") != name:
            raise TableError(
                f"table must hold one source, got {quoted(name)} and {quoted(row.get('source'))}; name one: source=..."
            )
        timeline.add(row)
    return timeline, name


def save_figure(figure: Figure, path: Path) -> None:
    """Write ``figure`` without dates and random names, so that equal figures are equal bytes."""
    import matplotlib

    settings = {"svg.hashsalt": "ferserve", "savefig.dpi": 110, "path.simplify": True}
    undated: dict[str, Any] = {"Date": None, "Creator": None} if path.suffix == ".svg" else {"Software": None}
    with matplotlib.rc_context(settings), part_file(path) as part, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)  # it draws a box instead
        figure.savefig(part, format=path.suffix[1:], metadata=undated)


def _draw(make: type[Figure], timeline: Timeline, persons: int, title: str) -> Figure:
    longest = sorted(timeline.tracks, key=lambda track: -timeline.looks[track])[:persons]
    shown = [track for track in timeline.tracks if track in longest]
    panel_in = _ROW_IN * max(len(timeline.labels), 1) + _BAND_IN + _GAP_IN
    height_in = _HEAD_IN + _FOOT_IN + panel_in * max(len(shown), 1)
    figure = make(figsize=(_WIDTH_IN, height_in), facecolor="white")
    _write(figure, 0.012, 1 - 0.22 / height_in, title, fontsize=12, weight="bold")
    if shown:
        _write(figure, 0.985, 1 - 0.22 / height_in, _LEGEND, fontsize=8, ha="right", color="#444444")
    for number, track in enumerate(shown):
        top = height_in - _HEAD_IN - number * panel_in - _GAP_IN + 0.16
        _panel(figure, timeline, track, top, height_in, last=number == len(shown) - 1)
    if not shown:
        _write(figure, 0.5, 0.5, "no face", ha="center", fontsize=12)
    hidden = len(timeline.tracks) - len(shown)
    if hidden:
        more = f"and {hidden} more person{'s' if hidden > 1 else ''}; persons={len(timeline.tracks)} draws all"
        _write(figure, 0.012, 0.16 / height_in, more, fontsize=9, style="italic")
    return figure


def _panel(figure: Figure, timeline: Timeline, track: int, top_in: float, height_in: float, *, last: bool) -> None:
    rows_in = _ROW_IN * len(timeline.labels)
    box = (0.09, (top_in - rows_in - _BAND_IN) / height_in, _PANEL_IN / _WIDTH_IN, (rows_in + _BAND_IN) / height_in)
    axes = figure.add_axes(box)
    edges, origin_s = timeline.edges_s, time_axis(axes, timeline.edges_s)
    edges = edges - origin_s
    count = len(timeline.labels)
    band = _BAND_IN / _ROW_IN
    axes.set_ylim(-band, count)
    axes.set_yticks([count - 1 - i + 0.4 for i in range(count)], timeline.labels, fontsize=8)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelbottom=last, labelsize=8)
    axes.spines[["top", "right", "left"]].set_visible(False)
    name = f"person {track}" if track else "faces without tracking"
    looks = timeline.looks[track]
    axes.set_title(f"{name}  ({looks} frame{'s' if looks != 1 else ''})", loc="left", fontsize=9, weight="bold", pad=3)
    steady = _steady(timeline, track)
    for i, (low, mean, high) in enumerate(zip(*timeline.series(track), strict=True)):
        _label_row(axes, edges, count - 1 - i, (low, mean, high), steady[i])
    _label_band(axes, edges, timeline.bands(track), band)
    axes.set_xlabel(axes.get_xlabel() if last else "", fontsize=8, labelpad=2)


def _steady(timeline: Timeline, track: int) -> Any:
    """Whether a label is the steady one, bool (K, bins)."""
    steady = np.zeros((len(timeline.labels), len(timeline.starts_s)), bool)
    for first, end, label, _ in timeline.bands(track):
        if label in timeline.labels:
            steady[timeline.labels.index(label), first:end] = True
    return steady


def _label_row(axes: Any, edges: Any, base: int, series: tuple[Any, Any, Any], steady: Any) -> None:
    low, mean, high = (np.append(values, values[-1]) * 0.86 for values in series)
    axes.axhline(base, color="#bbbbbb", linewidth=0.5, zorder=0)
    if (high > low).any():
        axes.fill_between(edges, base + low, base + high, step="post", color=_RANGE, linewidth=0, zorder=1)
    for color, where in ((_LIGHT, ~steady), (_DARK, steady)):
        values = np.append(np.where(where, mean[:-1], np.nan), np.nan)
        axes.fill_between(*_steps(edges, base, values), color=color, linewidth=0, zorder=2)
    axes.plot(edges, base + mean, drawstyle="steps-post", color=_DARK, linewidth=0.5, zorder=3)


def _steps(edges: Any, base: int, values: Any) -> tuple[Any, Any, Any]:
    """Corners of steps: each value holds from its edge to the next one."""
    x = np.repeat(edges, 2)[1:-1]
    heights = np.repeat(values[:-1], 2)
    return x, np.full_like(heights, base), base + heights


def _label_band(axes: Any, edges: Any, bands: Sequence[Band], height: float) -> None:
    inches = _PANEL_IN / (edges[-1] - edges[0])
    for first, end, label, sure in readable(bands, edges, _NARROWEST_IN / inches):
        start, width = edges[first], edges[end] - edges[first]
        face, hatch, text = (
            _MIXED if not label else ("white", None, label) if sure else ("#eeeeee", "////", f"{label}?")
        )
        style = {"facecolor": face, "hatch": hatch, "edgecolor": "#333333", "linewidth": 0.6}
        axes.barh(-height / 2, width, left=start, height=height * 0.72, **style)
        if width * inches > 0.075 * len(text) + 0.06:
            pad = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
            middle = {"ha": "center", "va": "center_baseline", "fontsize": 7.5, "bbox": pad, "parse_math": False}
            axes.text(start + width / 2, -height / 2, text, **middle)


def _write(figure: Figure, x: float, y: float, text: str, **style: Any) -> None:
    """``text`` as it is, in one line: names of files are anybody's."""
    plain = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in " ".join(text.split()))
    shortened = plain if len(plain) <= 110 else f"{plain[:107]}..."
    figure.text(x, y, shortened, va="center", parse_math=False, **style)
