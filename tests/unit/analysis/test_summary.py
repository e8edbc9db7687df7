"""What each person showed, against numbers worked out by hand."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from ferserve.analysis import Summary, open_table, summarize, to_pandas
from ferserve.analysis.rows import table_rows
from ferserve.errors import TableError
from ferserve.types import DropReason, FrameFault, FrameResult
from tests.unit.analysis.results import HEADS, face, result

HAPPY, CALM = 0.75, 0.25


def _at(time_s: float, number: int, *faces: object, **changes: object) -> FrameResult:
    return dataclasses.replace(result(number, *faces, **changes), capture_time_ns=round(time_s * 1e9))  # type: ignore[arg-type]


VARIABLE = [  # a look counts until the next: 0.1, 0.3, 0.2, and 0.2 again for the last
    _at(0.0, 1, face(1, HAPPY)),
    _at(0.1, 2, face(1, CALM), face(2, CALM)),
    _at(0.2, 3, dropped=DropReason.DEADLINE),
    _at(0.3, 4, fault=FrameFault("invalid_frame", "no")),
    _at(0.4, 5, face(1, CALM, score=0.5)),
    _at(0.6, 6, face(1, HAPPY)),
]


def test_shares_are_of_time_and_add_up() -> None:
    summary = summarize(VARIABLE, "a.mp4")
    first, second = summary["persons"]
    assert summary["frames"] == {"all": 6, "face": 4, "no_face": 0, "fault": 1, "dropped": 1}
    assert (summary["model"], summary["model_version"]) == ("tiny", "3")
    assert (first["source"], first["track"], first["first_s"], first["last_s"]) == ("a.mp4", 1, 0.0, 0.6)
    assert (first["frames"], first["seconds"]) == (4, 0.8)
    assert first["shares"] == {"calm": 0.625, "happy": 0.375}  # 0.5 s and 0.3 s
    assert first["sure"] == 0.75  # 0.2 s of a doubtful box
    assert first["transitions"] == {"calm": {"happy": 1}, "happy": {"calm": 1}}
    assert first["mean_confidence"] == 0.75
    assert first["mean_valence"] == pytest.approx((0.3 * 0.375 + 0.5 * 0.125) / 0.8, abs=1e-4)
    assert (second["track"], second["seconds"], second["shares"]["calm"]) == (2, 0.3, 1)
    assert second["transitions"] == {}


def test_files_tables_and_results_have_one_summary(tmp_path: Path) -> None:
    expected = summarize(VARIABLE, "a.mp4")
    for suffix in (".csv", ".parquet"):
        with open_table(tmp_path / f"faces{suffix}", HEADS) as table:
            for one in VARIABLE:
                table.write(one, "a.mp4")
        assert summarize(tmp_path / f"faces{suffix}") == expected
    assert summarize(to_pandas(VARIABLE, "a.mp4")) == expected
    assert json.loads(json.dumps(expected)) == expected


def test_a_summary_can_be_read_at_any_time() -> None:
    summary = Summary()
    for number, one in enumerate(VARIABLE, 1):
        for row in table_rows(one, "a.mp4"):
            summary.add(row)
        assert summary.to_dict() == summarize(VARIABLE[:number], "a.mp4")


def test_pictures_have_no_time_and_count_once_each() -> None:
    summary = Summary()
    for name, happy in (("a.jpg", HAPPY), ("b.jpg", CALM)):
        for row in table_rows(_at(0, 0, face(0, happy), face(0, CALM)), name):
            summary.add(row)
    persons = summary.to_dict()["persons"]
    assert [(person["source"], person["frames"], person["seconds"]) for person in persons] == [
        ("a.jpg", 2, 0),
        ("b.jpg", 2, 0),
    ]
    assert [person["shares"]["happy"] for person in persons] == [0.5, 0]


@pytest.mark.parametrize(
    ("times", "seconds"),
    [
        ([0, 0.1, 600, 600.1], 0.1 + 1 + 0.1 + 0.1),  # a camera that was away counts for a second
        ([0, 10, 20, 30], 40),  # one look every ten seconds
        ([5, 5.1, 0, 0.1], 0.1 + 0 + 0.1 + 0.1),  # a source that began again
        ([1.7e9, 1.7e9 + 0.5], 1.0),
    ],
)
def test_gaps_do_not_count(times: list[float], seconds: float) -> None:
    results = [_at(time_s, number, face(1, HAPPY)) for number, time_s in enumerate(times, 1)]
    assert summarize(results)["persons"][0]["seconds"] == pytest.approx(seconds, abs=1e-4)


def test_sources_do_not_mix() -> None:
    summary = Summary()
    for one in VARIABLE:  # as from two cameras at once
        for name in ("a.mp4", "b.mp4"):
            for row in table_rows(one, name):
                summary.add(row)
    persons = summary.to_dict()["persons"]
    expected = summarize(VARIABLE, "a.mp4")["persons"]
    assert [person for person in persons if person["source"] == "a.mp4"] == expected
    assert len(persons) == 4


def test_nothing_is_a_summary_too() -> None:
    assert summarize([])["persons"] == []
    assert summarize([result(1)])["frames"]["no_face"] == 1


def test_one_source_of_a_table_is_taken() -> None:
    table = to_pandas(VARIABLE, "a.mp4")
    assert summarize(table, "a.mp4") == summarize(VARIABLE, "a.mp4")
    with pytest.raises(TableError, match=r"source must be a source of the table, got 'b.mp4'; it has 'a.mp4'"):
        summarize(table, "b.mp4")
