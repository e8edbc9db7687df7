"""Results as rows of CSV: one per face, with the fields of the JSON lines as columns."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from ferserve.rendering.json import SCHEMA_VERSION, rounded
from ferserve.types import FrameResult, HeadPose, Timings

_LINE_END = "\r\n"  # before Python 3.13 csv quotes only those of the two that it ends lines with
_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n")
_CORNERS = ("x0", "y0", "x1", "y1")
_POINTS = ("eye_left", "eye_right", "nose", "mouth_left", "mouth_right")
_ANGLES = tuple(angle.name for angle in fields(HeadPose))
_LANDMARKS = tuple(f"{point}.{axis}" for point in _POINTS for axis in ("x", "y"))

FIXED_COLUMNS = (
    *("source", "frame_id", "capture_time_ns", "track_id"),
    *(f"box.{corner}" for corner in _CORNERS),
    "score",
    *(f"landmarks.{point}" for point in _LANDMARKS),
    "landmarks_age_ms",
    *(f"head_pose.{angle}" for angle in _ANGLES),
    *("emotion", "confidence", "top", "top_confidence", "certainty", "sure"),
    *("degraded", "fault.code", "fault.message", "dropped", "tracks_lost"),
    *("width", "height", "model_name", "model_version"),
    *(f"timings.{stage.name}" for stage in fields(Timings)),
    "schema_version",
)
"""The columns of every table. They come before those of the heads, so that their places depend on no model."""


class CsvRenderer:
    """Renders results of one model as CSV; ``heads`` are its labels by head (``ModelDescription.heads``).

    A column has the name of its JSON field, the path joined with dots. A frame without a face, a fault and a drop take
    one row, with empty cells for the face.
    """

    def __init__(self, heads: Mapping[str, Sequence[str]]) -> None:
        self.columns: tuple[str, ...] = (*FIXED_COLUMNS, *_head_columns(heads))
        self._known = frozenset(self.columns)

    def header(self) -> str:
        """The first line, without a line end."""
        return csv_line(self.columns)

    def lines(self, result: FrameResult, source: str | None = None) -> list[str]:
        """The rows of ``result``, without line ends; numbers have four decimals, as in JSON.

        Raises:
            ValueError: a face has a head or a label that is none of the table's.
        """
        plain = rounded(result.to_dict())
        faces = plain.pop("faces")
        frame = {"schema_version": SCHEMA_VERSION, "source": source, **dict(_frame_cells(plain))}
        return [self._row(frame | dict(_face_cells(face))) for face in faces] or [self._row(frame)]

    def _row(self, cells: dict[str, Any]) -> str:
        if unknown := sorted(cells.keys() - self._known):
            raise ValueError(
                f"columns must be those of the table's model, got {', '.join(unknown)}; one table per model"
            )
        return csv_line(map(cells.get, self.columns))


def _head_columns(heads: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for head, labels in heads.items():
        for field in ("label", "confidence", "top", "top_confidence"):
            yield f"heads.{head}.{field}"
        for field in ("probabilities", "raw_probabilities"):
            for label in labels:
                yield f"heads.{head}.{field}.{label}"


def _frame_cells(plain: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The cells of a result without its faces."""
    for name, value in plain.items():
        if isinstance(value, dict):
            yield from ((f"{name}.{key}", item) for key, item in value.items())
        elif name != "fault":  # None without one; its columns are those of its parts
            yield name, value


def _face_cells(face: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in face.items():
        if name == "box":
            yield from zip([f"box.{corner}" for corner in _CORNERS], value, strict=True)
        elif name == "landmarks":
            flat = [number for point in value or () for number in point]
            yield from zip([f"landmarks.{point}" for point in _LANDMARKS], flat, strict=False)
        elif name == "head_pose":
            yield from ((f"head_pose.{angle}", degrees) for angle, degrees in (value or {}).items())
        elif name == "heads":
            for head in value:
                yield from _head_cells(head)
        else:
            yield name, value


def _head_cells(head: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for field, value in head.items():
        path = f"heads.{head['name']}.{field}"
        if isinstance(value, dict):
            yield from ((f"{path}.{label}", probability) for label, probability in value.items())
        elif field not in ("name", "raw_probabilities"):  # the name is in the path; None if nothing was smoothed
            yield path, value


def csv_line(cells: Iterable[Any]) -> str:
    """One record without its line end: None is an empty cell, booleans are in lower case, numbers stay numbers.

    A text that begins as a formula gets an apostrophe before it (OWASP, CSV injection), so that no spreadsheet takes it
    for more. Names of files that are no UTF-8 are escaped as in JSON, so that every line can be written.
    """
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator=_LINE_END).writerow(map(_cell, cells))
    return buffer.getvalue().removesuffix(_LINE_END).encode("utf-8", "backslashreplace").decode("utf-8")


def cell_text(cell: str) -> str:
    """The text that :func:`csv_line` wrote as ``cell``."""
    return cell[1:] if cell[:1] == "'" and cell[1:].startswith(_FORMULA_SIGNS) else cell


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_SIGNS) else value
