"""The audit finds constant, corrupt and repeated images and copies across splits, says so and leaves them out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.training import sets
from training.data.audit import audit
from training.data.fer2013 import load_fer2013
from training.data.folders import load_folders
from training.errors import DataError


def test_every_kind_of_fault_is_found_and_left_out(tmp_path: Path) -> None:
    path = sets.fer2013_csv(tmp_path)
    lines = path.read_text().splitlines()
    lines[1] = "0," + "7 " * 2304 + ",Training"  # constant
    lines[3] = lines[2]  # a duplicate within training
    test_pixels = next(line for line in lines if line.endswith("PublicTest")).split(",")[1]
    lines[5] = f"4,{test_pixels},Training"  # a copy of a test image
    lines[6] = "5,1 2 3,Training"  # corrupt
    path.write_text("\n".join(lines) + "\n")

    report = audit(load_fer2013(path, skip_corrupt=True).samples())

    assert report.constant == [f"{path}:2: every pixel is 7"]
    assert report.duplicate == [f"{path}:4: same pixels as {path}:3"]
    assert [text.split(": ")[0] for text in report.across_splits] == [f"{path}:6"]
    assert [text.split(": ")[0] for text in report.corrupt] == [f"{path}:7"]
    left_out = {f"{path}:{line}" for line in (2, 4, 6, 7)}
    assert left_out.isdisjoint(report.clean.places)
    assert len(report.clean) == report.total - 4
    printed = "\n".join(report.lines())
    assert all(place in printed for place in left_out)


def test_test_parts_stay_whole_so_that_figures_stay_comparable(tmp_path: Path) -> None:
    path = sets.fer2013_csv(tmp_path)
    lines = path.read_text().splitlines()
    first = next(number for number, line in enumerate(lines) if line.endswith("PublicTest"))
    lines[first + 1] = lines[first]
    path.write_text("\n".join(lines) + "\n")
    samples = load_fer2013(path).samples()
    report = audit(samples)
    assert len(report.duplicate) == 1
    assert len(report.clean) == len(samples)


def test_truncated_files_are_found_without_stopping(tmp_path: Path) -> None:
    victim = sets.class_folders(tmp_path) / "happy" / "2.jpg"
    victim.write_bytes(victim.read_bytes()[:300])
    report = audit(load_folders(tmp_path))
    assert len(report.corrupt) == 1
    assert str(victim) in report.corrupt[0]
    assert len(report.clean) == 14


def test_a_set_that_is_mostly_unreadable_is_refused(tmp_path: Path) -> None:
    for file in sets.class_folders(tmp_path).rglob("*.jpg"):
        file.write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"0\.jpg: image must be a whole, readable file.*14 more of 15"):
        audit(load_folders(tmp_path))


def test_long_reports_are_counted_not_printed(tmp_path: Path) -> None:
    data = load_fer2013(sets.fer2013_csv(tmp_path))
    data.images[:20] = 0
    report = audit(data.samples())
    assert len(list(report.lines(shown=10))) == 1 + 4 + 10 + 1
    assert len(list(report.lines(shown=None))) == 1 + 4 + 20
    assert np.all(report.clean.places != data.places[0])
