"""Timelines hold every person in few points, and their pictures are the same bytes each time."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from ferserve.analysis import Timeline, plot_timeline, to_pandas
from ferserve.analysis.rows import Row
from ferserve.analysis.timeline import readable
from ferserve.errors import TableError
from tests.unit.analysis.results import face, result

INK, PALE = 0.3, 0.6
"""Luma of dark fills is below the first, of pale ones above the second, of 1."""


def _rows(frames: int, persons: int = 1, fps: float = 25.0, start_s: float = 0.0) -> Iterator[Row]:
    """Person ``i`` is seen one frame longer than person ``i + 1``; joy comes every 50th frame."""
    for i in range(frames):
        joy = 0.9 if i % 50 == 0 else 0.1
        seen = [track for track in range(1, persons + 1) if i < frames - track + 1]
        for track in seen or [0]:
            row: Row = {"frame": i + 1, "time_s": start_s + i / fps, "outcome": "face" if seen else "no_face"}
            label = {"track": track, "label": "joy" if joy > 0.5 else "calm", "sure": track % 2 == 1}
            yield row | label | {"p_calm": 1 - joy, "p_joy": joy}


def _timeline(rows: Iterator[Row]) -> Timeline:
    timeline = Timeline()
    for row in rows:
        timeline.add(row)
    return timeline


def test_a_short_video_keeps_every_frame() -> None:
    timeline = _timeline(_rows(100))
    low, mean, high = timeline.series(1)
    assert mean.shape == (2, 100)
    assert (low == mean).all()
    assert (high == mean).all()
    assert mean[1, [0, 1, 50, 99]].tolist() == [0.9, 0.1, 0.9, 0.1]
    assert timeline.edges_s[[0, 1, 99, 100]].tolist() == pytest.approx([0, 0.04, 3.96, 4.0])


@pytest.mark.parametrize("frames", [1000, 1001, 5003])
def test_a_long_video_keeps_its_extremes_and_means_in_at_most_1000_bins(frames: int) -> None:
    timeline = _timeline(_rows(frames))
    low, mean, high = timeline.series(1)
    stride = next(2**k for k in range(9) if frames / 2**k <= 1000)
    assert mean.shape[1] == -(-frames // stride)
    joy = np.array([row["p_joy"] for row in _rows(frames)])
    chunks = [joy[i : i + stride] for i in range(0, frames, stride)]
    for values, measure in ((low, np.min), (mean, np.mean), (high, np.max)):
        assert values[1].tolist() == pytest.approx([measure(chunk) for chunk in chunks])
    assert timeline.edges_s[:-1].tolist() == pytest.approx([i / 25 for i in range(0, frames, stride)])


def test_who_is_away_leaves_a_gap() -> None:
    timeline = _timeline(row for row in _rows(100, persons=2) if row["track"] != 2 or not 20 <= row["frame"] <= 29)
    _, mean, _ = timeline.series(2)
    assert np.flatnonzero(np.isnan(mean[0])).tolist() == [*range(19, 29), 99]
    calm, joy = ("calm", False), ("joy", False)
    runs = [(0, 1, *joy), (1, 19, *calm), (29, 50, *calm), (50, 51, *joy), (51, 99, *calm)]
    assert timeline.bands(2) == runs


def test_bands_that_are_too_narrow_become_one() -> None:
    edges = np.arange(101.0)
    bands = [(0, 40, "calm", True), (40, 41, "calm", False), (41, 42, "joy", True), (42, 43, "fear", True)]
    bands += [(43, 44, "joy", True), (60, 100, "joy", True)]
    assert readable(bands, edges, 0.5) == bands
    assert readable(bands, edges, 2) == [(0, 41, "calm", True), (41, 44, "", False), (60, 100, "joy", True)]


def test_a_plot_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    for suffix in ("png", "svg"):
        for name in "ab":
            plot_timeline(_timeline(_rows(120, 2)), tmp_path / f"{name}.{suffix}", title="clip.mp4")
        first, second = (tmp_path / f"{name}.{suffix}" for name in "ab")
        assert first.read_bytes() == second.read_bytes()
        assert not re.search(rb"20\d\d-\d\d-\d\d|[Mm]atplotlib v", first.read_bytes())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "a.svg", "b.png", "b.svg"]


def test_a_grey_print_shows_which_label_counts(tmp_path: Path) -> None:
    results = [result(i, face(1, 0.05 if i < 60 else 0.95)) for i in range(1, 121)]
    figure = plot_timeline(results, tmp_path / "a.png", source="clip.mp4")
    grey = cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_GRAYSCALE)
    assert grey is not None
    height, width = grey.shape
    (axes,) = figure.axes
    for label, (first, second) in {"calm": (True, False), "happy": (False, True)}.items():
        base = [text.get_text() for text in axes.get_yticklabels()].index(label)
        for dark, time_s in ((first, 1.2), (second, 3.6)):
            x, y = axes.transData.transform((time_s, 1 - base + 0.3)) / figure.dpi
            shade = grey[height - round(y * height / figure.get_figheight()), round(x * width / figure.get_figwidth())]
            assert shade / 255 < INK if dark else shade / 255 > PALE


def test_labels_and_persons_are_named(tmp_path: Path) -> None:
    figure = plot_timeline(_timeline(_rows(120, 2)), tmp_path / "a.svg", title="clip.mp4")
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["person 1  (120 frames)", "person 2  (119 frames)"]
    assert [text.get_text() for text in figure.axes[0].texts] == ["calm"] * 3
    assert [text.get_text() for text in figure.axes[1].texts] == ["calm?"] * 3  # not sure
    assert [axes.get_xlabel() for axes in figure.axes] == ["", "time, s"]
    ET.parse(tmp_path / "a.svg")


def test_the_longest_seen_are_drawn_and_the_rest_is_counted() -> None:
    figure = plot_timeline(_timeline(_rows(60, 30)), persons=3)
    assert [axes.get_title(loc="left")[:8] for axes in figure.axes] == ["person 1", "person 2", "person 3"]
    assert any(text.get_text() == "and 27 more persons; persons=30 draws all" for text in figure.texts)
    assert len(plot_timeline(_timeline(_rows(10, 5)), persons=5).axes) == 5


@pytest.mark.parametrize(
    ("frames", "fps", "start_s", "label", "last"),
    [
        (1, 25, 0, "time, s", "1"),
        (100, 25, 0, "time, s", "4"),
        (300, 1, 0, "time, m:ss", "5:00"),
        (500, 0.05, 0, "time, h:mm:ss", "2:00:00"),
        (100, 25, 1_764_347_000.5, "s since 2025-11-28 16:23:20 UTC", "4.5"),
    ],
)
def test_the_axis_of_time_suits_its_length(frames: int, fps: float, start_s: float, label: str, last: str) -> None:
    (axes,) = plot_timeline(_timeline(_rows(frames, fps=fps, start_s=start_s))).axes
    assert axes.get_xlabel() == label
    ticks = [text.get_text() for text in axes.get_xticklabels()]
    assert last in ticks
    assert 2 <= len(ticks) <= 13


@pytest.mark.parametrize("table", [[], [result(1)], [result(1, face())], [result(1, face()), result(2)]])
def test_little_is_drawn_too(tmp_path: Path, table: Any) -> None:
    plot_timeline(table, tmp_path / "a.png", tmp_path / "a.svg", source="x.mp4")
    assert cv2.imread(str(tmp_path / "a.png")) is not None


@pytest.mark.parametrize(
    "name", ["$x$ %s \\alpha _{.mp4", "a\nb\x00.mp4", "漢字 étude.mp4", "caf\udce9.mp4", "x" * 300]
)
def test_names_of_files_are_drawn_as_they_are(tmp_path: Path, name: str) -> None:
    figure = plot_timeline([result(1, face())], tmp_path / "a.svg", source=name)
    assert len(figure.texts[0].get_text()) <= 110
    assert figure.texts[0].get_text()[:1] == name[:1]


def test_what_cannot_be_drawn_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"path must end with \.png or \.svg, got 'a.jpg'"):
        plot_timeline([], tmp_path / "a.jpg")
    with pytest.raises(ValueError, match="persons must be at least 1, got 0"):
        plot_timeline([], persons=0)
    table = to_pandas([result(1, face()), result(2, face())])
    table["source"] = ["a.mp4", "b.mp4"]
    with pytest.raises(TableError, match=r"must hold one source, got 'a.mp4' and 'b.mp4'; name one: source=\.\.\."):
        plot_timeline(table)
    assert len(plot_timeline(table, source="b.mp4").axes) == 1
    with pytest.raises(FileNotFoundError):
        plot_timeline([], tmp_path / "missing" / "a.png")
