"""Rows of CSV hold what the JSON lines hold, under the same names."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import numpy as np
import pytest

from ferserve.rendering.csv import FIXED_COLUMNS, CsvRenderer
from ferserve.rendering.json import json_line
from ferserve.types import DropReason, Face, FrameFault, FrameResult, HeadResult, Timings

SCHEMA: Any = json.loads(files("ferserve").joinpath("rendering/result.schema.json").read_text("utf-8"))
HEADS = {"emotion": ("calm", "happy"), "clarity": ("clear", "unclear")}
PARTS = {"box": 4, "landmarks": 10}
"""Fields that are arrays in JSON, with the number of their columns."""


def _head(name: str, first: float, *, smoothed: bool = False) -> HeadResult:
    probabilities = np.array([first, 1 - first], np.float32)
    return HeadResult(name, HEADS[name], probabilities, 0, raw_probabilities=probabilities[::-1] if smoothed else None)


def _face(**changes: Any) -> Face:
    heads = (_head("emotion", 0.375, smoothed=True), _head("clarity", 0.75))
    return Face(**{"box": (1.5, 2.25, 30.0, 40.0), "score": 0.875, "heads": heads, "track_id": 3, **changes})


def _rows(result: FrameResult, file: str | None = None) -> list[dict[str, str]]:
    """The rows as a reader of the file sees them."""
    renderer = CsvRenderer(HEADS)
    text = "\n".join([renderer.header(), *renderer.lines(result, file)]) + "\n"
    return list(csv.DictReader(io.StringIO(text.encode("utf-8").decode("utf-8"), newline=""), strict=True))


def _fields(node: Any, path: str = "") -> Iterator[str]:
    """The paths of the schema's leaves: those of a face without ``faces``, of a head with ``heads``."""
    if "$ref" in node:
        node = SCHEMA["$defs"][node["$ref"].rsplit("/", 1)[1]]
    if "anyOf" in node:
        (node,) = (option for option in node["anyOf"] if option.get("type") != "null")
    if "properties" in node:
        for name, child in node["properties"].items():
            yield from _fields(child, name if path in ("", "faces") else f"{path}.{name}")
    elif "$ref" in node.get("items", {}):
        yield from _fields(node["items"], path)
    else:
        yield path


def _field(column: str) -> str:
    """The path in JSON of what a column holds."""
    name, *rest = column.split(".")
    if name == "heads":
        return f"heads.{rest[1]}"  # rest[0] is the name of the head, rest[2] a label
    return name if name in PARTS else column


def test_columns_are_the_fields_of_the_json_lines() -> None:
    columns = CsvRenderer(HEADS).columns
    assert len(set(columns)) == len(columns)
    assert {_field(column) for column in columns} == set(_fields(SCHEMA)) - {"heads.name"}
    for field, count in PARTS.items():
        assert sum(_field(column) == field for column in columns) == count
    for head, labels in HEADS.items():
        for field in ("probabilities", "raw_probabilities"):
            assert [c for c in columns if c.startswith(f"heads.{head}.{field}.")] == [
                f"heads.{head}.{field}.{label}" for label in labels
            ]


def test_the_columns_of_the_heads_follow_those_of_every_table() -> None:
    assert CsvRenderer({}).columns == FIXED_COLUMNS
    columns = CsvRenderer(HEADS).columns
    assert columns[: len(FIXED_COLUMNS)] == FIXED_COLUMNS
    assert columns[:4] == ("source", "frame_id", "capture_time_ns", "track_id")
    assert CsvRenderer(HEADS).header() == ",".join(columns)


def test_a_face_is_one_row_with_the_values_of_its_json() -> None:
    landmarks = np.arange(10, dtype=np.float32).reshape(5, 2)
    result = FrameResult(
        7, 5, (_face(landmarks=landmarks),), None, None, Timings(total_ms=1.23456), "m", "1", 64, 48, "no end marker"
    )
    (row,) = _rows(result, "a.jpg")
    line = json.loads(json_line(result, "a.jpg"))
    (face,) = line["faces"]
    for field in (
        "source",
        "frame_id",
        "capture_time_ns",
        "model_name",
        "width",
        "height",
        "degraded",
        "schema_version",
    ):
        assert row[field] == str(line[field])
    for field in ("track_id", "score", "emotion", "confidence", "top", "top_confidence", "certainty"):
        assert row[field] == str(face[field])
    assert (row["emotion"], row["confidence"], row["top"], row["top_confidence"]) == ("calm", "0.375", "happy", "0.625")
    assert (row["certainty"], row["sure"]) == ("0.2812", "false")
    assert [row[f"box.{corner}"] for corner in ("x0", "y0", "x1", "y1")] == ["1.5", "2.25", "30.0", "40.0"]
    assert (row["landmarks.eye_left.x"], row["landmarks.eye_left.y"]) == ("0.0", "1.0")
    assert (row["landmarks.mouth_right.x"], row["landmarks.mouth_right.y"]) == ("8.0", "9.0")
    assert row["heads.emotion.probabilities.happy"] == row["heads.emotion.raw_probabilities.calm"] == "0.625"
    assert (row["heads.clarity.label"], row["heads.clarity.probabilities.clear"]) == ("clear", "0.75")
    assert row["heads.clarity.raw_probabilities.clear"] == ""
    assert (row["timings.total_ms"], row["fault.code"], row["dropped"]) == ("1.2346", "", "")


def test_faces_of_one_frame_are_rows_of_one_frame_id() -> None:
    rows = _rows(FrameResult(7, faces=(_face(), _face(track_id=4))))
    assert [(row["frame_id"], row["track_id"]) for row in rows] == [("7", "3"), ("7", "4")]
    assert {row["landmarks.nose.x"] for row in rows} == {""}
    assert _rows(FrameResult(7, faces=(_face(heads=(_head("emotion", 0.75),)),)))[0]["sure"] == "true"


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ({}, {}),
        *[({"dropped": reason}, {"dropped": reason.value}) for reason in DropReason],
        (
            {"fault": FrameFault("invalid_frame", 'encoded must be "an image",\ngot nothing')},
            {"fault.code": "invalid_frame", "fault.message": 'encoded must be "an image",\ngot nothing'},
        ),
    ],
)
def test_a_frame_without_faces_is_one_row(outcome: dict[str, Any], said: dict[str, str]) -> None:
    (row,) = _rows(FrameResult(7, **outcome))
    assert (row["frame_id"], row["source"], row["track_id"], row["emotion"], row["box.x0"]) == ("7", "", "", "", "")
    outcomes = ("dropped", "fault.code", "fault.message")
    assert {name: row[name] for name in outcomes} == dict.fromkeys(outcomes, "") | said


@pytest.mark.parametrize("file", ["a, b.jpg", 'the "x".jpg', "new\nline.jpg", "new\rline.jpg", "é.jpg", "#1.jpg"])
def test_names_of_files_come_back(file: str) -> None:
    assert _rows(FrameResult(1), file)[0]["source"] == file


def test_a_name_that_is_no_utf8_is_escaped_as_in_json() -> None:
    assert _rows(FrameResult(1), "caf\udce9.jpg")[0]["source"] == "caf\\udce9.jpg"


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r"])
def test_no_text_is_a_formula_and_numbers_stay_numbers(sign: str) -> None:
    fault = FrameFault("unreadable", f"{sign}1+1")
    (row,) = _rows(FrameResult(1, fault=fault, model_name=f"{sign}m"), f"{sign}cmd|' /C calc'!A0.jpg")
    assert row["source"] == f"'{sign}cmd|' /C calc'!A0.jpg"
    assert (row["fault.message"], row["model_name"]) == (f"'{sign}1+1", f"'{sign}m")
    (row,) = _rows(FrameResult(1, faces=(_face(box=(-1.5, -2.0, 3.0, 4.0)),)), "a=b.jpg")
    assert (row["box.x0"], row["source"]) == ("-1.5", "a=b.jpg")


def test_a_face_of_another_model_is_refused() -> None:
    other = HeadResult("emotion", ("calm", "angry"), np.array([0.5, 0.5], np.float32), 0)
    with pytest.raises(ValueError, match=r"got heads\.emotion\.probabilities\.angry; one table per model"):
        CsvRenderer(HEADS).lines(FrameResult(1, faces=(_face(heads=(other,)),)))
