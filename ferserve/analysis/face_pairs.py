"""Which face of one run is which face of another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from ferserve.analysis.rows import Row
from ferserve.errors import TableError, quoted
from ferserve.vision.geometry import iou_matrix


class SeenFace(NamedTuple):
    """A face of one look; ``box`` (x0, y0, x1, y1) px, None in a table without boxes, such as one of a human coder."""

    track: int
    label: str
    sure: bool
    box: tuple[float, float, float, float] | None


class Look(NamedTuple):
    """A frame that was looked at: ``time_ms`` since the begin of its source, and the faces in it."""

    time_ms: int
    faces: list[SeenFace]


Looks: TypeAlias = dict[int, Look]
"""Looks at one source by the number of the frame."""

NEEDED = frozenset(("source", "frame", "time_s", "outcome", "track", "label", "sure", "x", "y", "width", "height"))
"""Columns that :func:`looks_of` reads."""


def looks_of(rows: Iterable[Row]) -> dict[str | None, Looks]:
    """All looks by source."""
    sources: dict[str | None, Looks] = {}
    for row in rows:
        if row["outcome"] in ("face", "no_face"):
            looks = sources.setdefault(row.get("source"), {})
            look = looks.setdefault(row["frame"], Look(round(row["time_s"] * 1000), []))
            if row["outcome"] == "face":
                look.faces.append(_seen(row))
    return sources


def _seen(row: Row) -> SeenFace:
    if row.get("track") is None or row.get("label") is None:
        raise TableError(f"faces must have a track and a label, got none in frame {row['frame']}; fill them in")
    return SeenFace(row["track"], row["label"], row.get("sure") is not False, _box(row))


def _box(row: Row) -> tuple[float, float, float, float] | None:
    x, y, width, height = (row.get(name) for name in ("x", "y", "width", "height"))
    return None if x is None or y is None or width is None or height is None else (x, y, x + width, y + height)


def paired_sources(
    a: Mapping[str | None, Looks], b: Mapping[str | None, Looks]
) -> Iterator[tuple[str | None, Looks, Looks]]:
    """The name and the looks of each source that both have; two single sources are one, whatever their names.

    Raises:
        TableError: There is no such source.
    """
    if len(a) == len(b) == 1:
        ((name, looks_a),), (looks_b,) = a.items(), b.values()
        yield name, looks_a, looks_b
        return
    both = [name for name in a if name in b]
    if not both:
        names = [", ".join(quoted(name) for name in list(table)[:3]) or "none" for table in (a, b)]
        raise TableError(f"tables must have a source in common, got {names[0]} and {names[1]}")
    for name in both:
        yield name, a[name], b[name]


def paired_looks(a: Looks, b: Looks) -> Iterator[tuple[Look, Look]]:
    """Looks of both at the same time, to the millisecond; at the same frame if times do not tell frames apart."""
    times = [{look.time_ms: look for look in looks.values()} for looks in (a, b)]
    by_time = len(times[0]) == len(a) and len(times[1]) == len(b)
    first, second = times if by_time else (a, b)
    for moment, look in first.items():
        if moment in second:
            yield look, second[moment]


def paired_faces(
    a: Sequence[SeenFace], b: Sequence[SeenFace], min_iou: float
) -> Iterator[tuple[SeenFace, SeenFace, float]]:
    """Each face of ``a`` with the face of ``b`` that it overlaps most, best pair first, and their IoU.

    Without boxes in one of them, faces of one track are a pair, and the IoU is NaN.
    """
    boxes_a, boxes_b = [face.box for face in a], [face.box for face in b]
    if None in boxes_a or None in boxes_b:
        tracks = {face.track: face for face in b}
        yield from ((face, tracks[face.track], float("nan")) for face in a if face.track in tracks)
        return
    if not a or not b:
        return
    scores = iou_matrix(np.array(boxes_a, np.float32), np.array(boxes_b, np.float32))
    for _ in range(min(scores.shape)):
        i, j = divmod(int(scores.argmax()), scores.shape[1])
        iou = float(scores[i, j])
        if iou < min_iou:
            return
        yield a[i], b[j], iou
        scores[i, :] = scores[:, j] = -1
