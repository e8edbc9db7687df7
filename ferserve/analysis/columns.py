"""Columns of the table of faces: one row per face and frame."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["text", "integer", "number", "truth"]
"""Type of a column; every column but ``frame`` and ``outcome`` may have empty cells."""

Heads: TypeAlias = Mapping[str, Sequence[str]]
"""Labels by the name of the head, the emotion first, as in ``ModelDescription.heads``."""

TABLE_VERSION = 1
"""Version of the table; it rises if a column changes its meaning or goes. New columns may come without that."""

LANDMARKS = ("eye_left", "eye_right", "nose", "mouth_left", "mouth_right")
AFFECT = ("valence", "arousal")
"""Labels that are values in [-1, 1], no probabilities; their columns have these very names."""


@dataclass(frozen=True)
class Column:
    """One column: its name, its type, and what it holds with the unit."""

    name: str
    kind: Kind
    meaning: str


_OF_FRAME = (
    Column("source", "text", "name of the video, picture or camera"),
    Column("frame", "integer", "number of the frame in its source, from 1 on; 0 for the source as a whole"),
    Column("time_s", "number", "capture time, s; of a recording the time in its container"),
    Column("outcome", "text", "face, no_face (looked at, without a face), fault or dropped (both: not looked at)"),
    Column("reason", "text", "why the frame is a fault or was dropped"),
)
_OF_FACE = (
    Column("track", "integer", "id of the face within its source, 0 without tracking"),
    Column("x", "number", "left edge of the box, px of the upright frame"),
    Column("y", "number", "upper edge of the box, px"),
    Column("width", "number", "width of the box, px"),
    Column("height", "number", "height of the box, px"),
    Column("score", "number", "the detector's score, 0 to 1"),
    *(Column(f"{point}_{axis}", "number", f"{axis} of a landmark, px") for point in LANDMARKS for axis in "xy"),
    Column("yaw", "number", "of the head, degrees; positive: to the right of the picture"),
    Column("pitch", "number", "of the head, degrees; positive: up"),
    Column("roll", "number", "of the head, degrees; positive: clockwise in the picture"),
    Column("landmarks_age_ms", "number", "how long before the frame the detector saw landmarks and pose, ms"),
    Column("label", "text", "the steady emotion"),
    Column("confidence", "number", "probability of label, 0 to 1"),
    Column("top", "text", "the most probable emotion of this frame"),
    Column("top_confidence", "number", "probability of top, 0 to 1"),
    Column("certainty", "number", "probability that the face can be read and shows label, 0 to 1"),
    Column("sure", "truth", "whether label is to be trusted"),
)
_OF_RESULT = (
    Column("frame_width", "integer", "width of the upright frame, px"),
    Column("frame_height", "integer", "height of the upright frame, px"),
    Column("degraded", "text", "what is wrong with the picture although it was looked at"),
    Column("tracks_lost", "truth", "whether all ids are new from this frame on"),
    Column("model", "text", "name of the model"),
    Column("model_version", "text", "version of the model"),
)
FIXED_COLUMNS = (*_OF_FRAME, *_OF_FACE, *_OF_RESULT)
"""The columns of every table; those of the model's heads follow."""

_KINDS = {column.name: column.kind for column in FIXED_COLUMNS}


def head_columns(name: str, labels: Sequence[str], *, first: bool) -> Iterator[Column]:
    """The columns of one head; the first head's label and confidence are fixed columns.

    ``p_<label>`` and ``raw_<label>``, with ``<head>_`` before them for other heads than the first.
    """
    prefix = "" if first else f"{name}_"
    if set(labels) <= set(AFFECT):
        for label in labels:
            yield Column(label, "number", "value of the model, smoothed, -1 to 1")
            yield Column(f"raw_{label}", "number", "value of this frame alone, -1 to 1; empty if not smoothed")
        return
    if not first:
        yield Column(f"{prefix}label", "text", f"the steady label of the head {name}")
        yield Column(f"{prefix}confidence", "number", f"probability of {prefix}label, 0 to 1")
    for label in labels:
        yield Column(f"{prefix}p_{label}", "number", "probability, smoothed over time, 0 to 1")
    for label in labels:
        yield Column(f"{prefix}raw_{label}", "number", "probability of this frame alone, 0 to 1; empty if not smoothed")


def table_columns(heads: Heads) -> tuple[Column, ...]:
    """All columns of the table of a model with these ``heads``.

    Raises:
        ValueError: two heads give columns of one name.
    """
    columns = [*FIXED_COLUMNS]
    for number, (name, labels) in enumerate(heads.items()):
        columns += head_columns(name, labels, first=number == 0)
    twice = [name for name, count in Counter(column.name for column in columns).items() if count > 1]
    if twice:
        raise ValueError(f"heads must give columns of different names, got {', '.join(twice)} twice; rename a head")
    return tuple(columns)


def kind_of(name: str) -> Kind:
    """Type of the column ``name`` of any table."""
    return _KINDS.get(name) or ("text" if name.endswith("_label") else "number")


def emotion_labels(names: Iterable[str]) -> tuple[str, ...]:
    """Labels of the first head in a table with the columns ``names``."""
    return tuple(name[2:] for name in names if name.startswith("p_"))
