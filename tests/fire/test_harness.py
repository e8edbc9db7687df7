"""The suite's own instruments: without an attack every bar is reached, and a bar that is missed is told."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import pytest

from tests.fire.attack import Target
from tests.fire.measure import Report, UnderFire, write_reports
from tests.fire.quick import BesideCamera

GOOD = Report("good", 1.0, 20, 30, 5, 150, 200, 155, 0.4, 1, "")


def nothing(target: Target) -> None:
    """No attack at all."""


@pytest.mark.fire
def test_no_attack(under_fire: UnderFire) -> None:
    under_fire(nothing).assert_bars()


def test_no_attack_quick(beside_camera: BesideCamera) -> None:
    beside_camera(nothing)


def test_the_table_is_kept(tmp_path: Path) -> None:
    slow = dataclasses.replace(GOOD, name="slow", p99_ms=90)
    write_reports([GOOD, slow], tmp_path / "new")
    good, missed = json.loads((tmp_path / "new/fire.json").read_text())
    assert (good["name"], good["peak_mb"], good["missed"]) == ("good", 200, [])
    assert missed["missed"] == ["p99 90 ms is over 3 x 20 ms"]
    header, line, *rows = (tmp_path / "new/fire.md").read_text().splitlines()
    assert {row.count("|") for row in (header, line, *rows)} == {10}
    assert rows[0].endswith("| ok |")
    assert rows[1].endswith("| p99 90 ms is over 3 x 20 ms |")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"answered": 0.94}, "answered 94.0%"),
        ({"answered": 0.0, "p99_ms": math.inf}, "p99 inf ms"),
        ({"p99_ms": 61}, "p99 61 ms is over 3 x 20 ms"),
        ({"peak_mb": 601}, "reached 601 MB"),
        ({"after_mb": 166}, "stayed at 166 MB after 150 MB"),
        ({"exit_s": 6.1}, "gone 6.1 s after SIGTERM"),
        ({"error": "UNAVAILABLE"}, "stream ended: UNAVAILABLE"),
    ],
)
def test_each_bar_fails_a_report_that_misses_it(changes: dict[str, float], words: str) -> None:
    assert GOOD.failures() == []
    missed = dataclasses.replace(GOOD, **changes)
    assert any(words in failure for failure in missed.failures())
    with pytest.raises(AssertionError):
        missed.assert_bars()
