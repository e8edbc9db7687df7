"""Results become the same table in CSV, Parquet, pandas and Arrow."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ferserve.analysis import open_table, read_table, to_arrow, to_pandas
from ferserve.analysis.columns import FIXED_COLUMNS, LANDMARKS
from ferserve.errors import TableError
from ferserve.types import DropReason, FrameFault, FrameResult, HeadResult
from tests.unit.analysis.results import HEADS, face, result

FORMATS = [".csv", ".parquet"]
RESULTS = [
    result(1, face(1, 0.25), face(2, 0.75)),
    result(2),
    result(3, fault=FrameFault("invalid_frame", 'cannot be "read",\nsee'), width=0, height=0),
    result(4, dropped=DropReason.DEADLINE, width=0, height=0),
    result(5, face(1, 0.123456789, landmarks=None), tracks_lost=True, degraded="half of it"),
]


def _written(path: Path, results: list[FrameResult] = RESULTS, source: str = "a.mp4") -> Path:
    with open_table(path, HEADS) as table:
        for one in results:
            table.write(one, source)
    return path


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_face_is_a_row_with_its_numbers(tmp_path: Path, suffix: str) -> None:
    table = read_table(_written(tmp_path / f"faces{suffix}"))
    assert list(table["frame"]) == [1, 1, 2, 3, 4, 5]
    assert list(table["time_s"]) == [0, 0, 0.04, 0.08, 0.12, 0.16]
    first, second, last = table.iloc[0], table.iloc[1], table.iloc[-1]
    assert (first["source"], first["track"], second["track"]) == ("a.mp4", 1, 2)
    assert [second[name] for name in ("x", "y", "width", "height", "score")] == [20, 20, 8, 10, 0.875]
    assert [first[name] for name in ("eye_left_x", "eye_left_y", "mouth_right_x", "mouth_right_y")] == [0, 1, 8, 9]
    assert [first[name] for name in ("yaw", "pitch", "roll", "landmarks_age_ms")] == [-12.5, 3.25, 0.5, 40]
    assert (first["label"], first["confidence"], second["label"], second["confidence"]) == ("calm", 0.75, "happy", 0.75)
    assert (first["certainty"], bool(first["sure"])) == (0.675, True)
    assert (first["p_calm"], first["p_happy"], first["raw_calm"], first["raw_happy"]) == (0.75, 0.25, 0.25, 0.75)
    assert (first["clarity_label"], first["clarity_confidence"], first["clarity_p_unclear"]) == ("clear", 0.9, 0.1)
    assert (first["valence"], first["arousal"], second["valence"]) == (0.125, -0.5, 0.375)
    assert np.isnan(first["raw_valence"])
    assert np.isnan(first["clarity_raw_clear"])
    assert (first["model"], first["model_version"], first["frame_width"], first["frame_height"]) == (
        "tiny",
        "3",
        64,
        48,
    )
    assert (last["p_happy"], last["degraded"], bool(last["tracks_lost"])) == (0.1235, "half of it", True)
    assert np.isnan(last["nose_x"])


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_frame_without_a_face_says_whether_it_was_looked_at(tmp_path: Path, suffix: str) -> None:
    table = read_table(_written(tmp_path / f"faces{suffix}")).drop_duplicates("frame").set_index("frame")
    assert list(table["outcome"]) == ["face", "no_face", "fault", "dropped", "face"]
    assert table.loc[3, "reason"] == 'invalid_frame: cannot be "read",\nsee'
    assert table.loc[4, "reason"] == "deadline"
    faceless = table.loc[[2, 3, 4]]
    assert faceless[["track", "x", "score", "label", "sure", "p_calm", "clarity_label"]].isna().all(axis=None)
    assert table["reason"].isna().tolist() == [True, True, False, False, True]


def test_every_way_to_a_table_gives_the_same_one(tmp_path: Path) -> None:
    files = [read_table(_written(tmp_path / f"faces{suffix}", source="-a.mp4")) for suffix in FORMATS]
    live = to_pandas(iter(RESULTS), "-a.mp4")
    assert files[0]["source"][0] == "-a.mp4"  # CSV holds it as '-a.mp4, so that no spreadsheet runs it
    for other in (files[1], live, to_pandas(live), to_pandas(to_arrow(live)), to_pandas(tmp_path / "faces.csv")):
        pd.testing.assert_frame_equal(files[0], other)


@pytest.mark.parametrize("suffix", FORMATS)
def test_equal_results_are_equal_bytes(tmp_path: Path, suffix: str) -> None:
    first, second = (_written(tmp_path / f"{name}{suffix}").read_bytes() for name in "ab")
    assert first == second


def test_csv_needs_no_package(tmp_path: Path) -> None:
    code = """
import sys
sys.modules["pyarrow"] = sys.modules["pandas"] = sys.modules["matplotlib"] = None
from ferserve.analysis import open_table, read_table, to_pandas
from ferserve.types import FrameResult
with open_table(sys.argv[1] + "/faces.csv", {"emotion": ("calm", "happy")}) as table:
    table.write(FrameResult(1), "a.mp4")
for call in (lambda: read_table(sys.argv[1] + "/faces.csv"), lambda: to_pandas([]),
             lambda: open_table(sys.argv[1] + "/faces.parquet", {}).__enter__()):
    try:
        call()
    except ImportError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.count("pip install 'ferserve[analysis]'") == 3, done.stdout


def test_csv_is_read_by_the_standard_library(tmp_path: Path) -> None:
    with open(_written(tmp_path / "faces.csv"), newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, strict=True))
    assert [row["outcome"] for row in rows] == ["face", "face", "no_face", "fault", "dropped", "face"]
    assert (rows[0]["p_happy"], rows[0]["sure"], rows[2]["track"]) == ("0.25", "true", "")


def test_parquet_is_cut_into_groups_and_tells_its_version(tmp_path: Path) -> None:
    path = tmp_path / "faces.parquet"
    with open_table(path, HEADS) as table:
        table.write_rows({"frame": number, "time_s": 0.0, "outcome": "no_face"} for number in range(9000))
    file = pq.ParquetFile(path)
    assert [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)] == [8192, 808]
    assert file.schema_arrow.metadata[b"ferserve.table_version"] == b"1"
    assert read_table(path)["frame"].is_monotonic_increasing


@pytest.mark.parametrize("suffix", FORMATS)
def test_an_error_leaves_the_older_file(tmp_path: Path, suffix: str) -> None:
    path = _written(tmp_path / f"faces{suffix}")
    before = path.read_bytes()
    with pytest.raises(ZeroDivisionError), open_table(path, HEADS) as table:
        table.write_rows({"frame": 1 // (1 - number)} for number in range(3))
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_face_of_another_model_is_refused(tmp_path: Path) -> None:
    other = HeadResult("emotion", ("calm", "angry"), np.array([0.5, 0.5], np.float32), 0)
    with (
        pytest.raises(TableError, match=r"got 'p_angry'; one table per model"),
        open_table(tmp_path / "faces.csv", HEADS) as table,
    ):
        table.write(result(1, face(heads=(other,))))
    assert not list(tmp_path.iterdir())


def test_a_stream_that_changes_its_model_has_the_labels_of_both() -> None:
    other = HeadResult("emotion", ("calm", "angry"), np.array([0.25, 0.75], np.float32), 1)
    table = to_pandas([result(1, face()), result(2, face(heads=(other,)))])
    assert table[["p_calm", "p_happy", "p_angry"]].fillna(-1).to_numpy().tolist() == [
        [0.75, 0.25, -1],
        [0.25, -1, 0.75],
    ]


def test_results_without_any_face_are_a_table_too(tmp_path: Path) -> None:
    for suffix in FORMATS:
        table = read_table(_written(tmp_path / f"none{suffix}", [result(1), result(2)]))
        assert list(table["outcome"]) == ["no_face", "no_face"]
        assert table["p_calm"].dtype == table["raw_calm"].dtype == np.float64
    assert to_arrow([]).num_rows == 0


def test_a_folder_is_one_table(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / name).mkdir()
        for suffix in FORMATS:
            _written(tmp_path / name / f"faces{suffix}", RESULTS[:1], f"{name}.mp4")
    (tmp_path / ".c.parquet.part").write_bytes(b"half")
    assert list(read_table(tmp_path)["source"]) == ["a.mp4", "a.mp4", "b.mp4", "b.mp4"]


@pytest.mark.parametrize("name", ["-x.mp4", "=1+1.mp4", "caf\udce9 %s.mp4", 'a "b", c.mp4', "é\n.mp4"])
def test_names_of_videos_come_back(tmp_path: Path, name: str) -> None:
    escaped = name.encode("utf-8", "backslashreplace").decode()
    for suffix in FORMATS:
        assert read_table(_written(tmp_path / f"faces{suffix}", RESULTS[:1], name))["source"][0] == escaped


def _damage(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    whole = _written(tmp_path / "whole.parquet").read_bytes()
    newer = to_arrow(RESULTS).replace_schema_metadata({"ferserve.table_version": "99"})
    cases: list[tuple[Any, str]] = [
        (_damage(tmp_path / "half.parquet", whole[: len(whole) // 2]), "cannot read .*half.parquet: .*; write it anew"),
        (_damage(tmp_path / "empty.parquet", b""), "cannot read"),
        (_damage(tmp_path / "empty.csv", b""), "cannot read .*empty.csv: Empty CSV"),
        (_damage(tmp_path / "other.csv", b"a,b\n1,2\n"), "must be a table of faces, got one without the column frame"),
        (_damage(tmp_path / "ragged.csv", b"frame,time_s,outcome\n1,2\n"), "cannot read .*ragged.csv"),
        (_damage(tmp_path / "words.csv", b"frame,time_s,outcome\none,2,face\n"), "cannot read .*words.csv"),
        (tmp_path / "faces.xlsx", r"path must end with \.csv or \.parquet, or be a folder, got 'faces.xlsx'"),
        (pa.table({"a": [1]}), "table must be a table of faces, got one without the column frame"),
        (pa.table({"frame": ["x"], "time_s": [0.0], "outcome": ["face"]}), "got cells of other types"),
        (newer, "version 1 or less, got 99; update ferserve"),
        ([1, 2], "table must be results, got an iterable of int"),
        (3, "table must be results, a path or a table of pandas or Arrow, got int"),
    ]
    for table, message in cases:
        with pytest.raises(TableError, match=message):
            to_arrow(table)
    (tmp_path / "hollow").mkdir()
    with pytest.raises(TableError, match=r"got no file that ends with \.csv or \.parquet"):
        to_arrow(tmp_path / "hollow")
    with pytest.raises(FileNotFoundError):
        to_arrow(tmp_path / "missing.csv")
    with pytest.raises(TableError, match=r"path must end with \.csv or \.parquet, got 'faces'"):
        _written(tmp_path / "faces")


def test_the_page_names_every_column() -> None:
    page = (Path(__file__).parents[3] / "docs" / "analysis.md").read_text("utf-8")
    named = set(re.findall(r"`(\w+)`", page))
    landmarks = {f"{point}_{axis}" for point in LANDMARKS for axis in "xy"}
    assert {column.name for column in FIXED_COLUMNS} - landmarks <= named
    assert set(LANDMARKS) - {"eye_left"} <= named
