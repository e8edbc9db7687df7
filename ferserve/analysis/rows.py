"""Rows of the table of faces, made of results."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from ferserve.analysis.columns import AFFECT, LANDMARKS
from ferserve.types import Face, FrameResult, HeadResult

Row: TypeAlias = dict[str, Any]
"""Cells by the name of the column; a column that is not there is empty."""

_DECIMALS = 4  # as in JSON lines and CSV: two runs that agree give the same bytes
_TIME_DECIMALS = 6


def table_rows(result: FrameResult, source: str | None = None) -> list[Row]:
    """The rows of ``result``: one per face, or one row that says why there is none.

    Numbers have four decimals, times six. ``source`` is the name of the video, picture or camera.
    """
    frame = _frame_cells(result, source)
    if not result.faces:
        return [frame]
    return [frame | _face_cells(face) for face in result.faces]


def _frame_cells(result: FrameResult, source: str | None) -> Row:
    cells: Row = {
        "source": None if source is None else _writable(source),
        "frame": result.frame_id,
        "time_s": round(result.capture_time_ns / 1e9, _TIME_DECIMALS),
        "outcome": "face" if result.faces else "no_face",
        "degraded": result.degraded or None,
        "tracks_lost": result.tracks_lost,
        "model": result.model_name or None,
        "model_version": result.model_version or None,
    }
    if result.width:
        cells["frame_width"], cells["frame_height"] = result.width, result.height
    if result.fault is not None:
        cells["outcome"] = "fault"
        cells["reason"] = _writable(f"{result.fault.code}: {result.fault.message}")
    elif result.dropped is not None:
        cells["outcome"], cells["reason"] = "dropped", result.dropped.value
    return cells


def _face_cells(face: Face) -> Row:
    x0, y0, x1, y1 = map(float, face.box)
    cells: Row = {
        "track": face.track_id,
        "x": round(x0, _DECIMALS),
        "y": round(y0, _DECIMALS),
        "width": round(x1 - x0, _DECIMALS),
        "height": round(y1 - y0, _DECIMALS),
        "score": round(float(face.score), _DECIMALS),
        "label": face.emotion,
        "confidence": round(face.confidence, _DECIMALS),
        "top": face.top,
        "top_confidence": round(face.top_confidence, _DECIMALS),
        "certainty": round(face.certainty, _DECIMALS),
        "sure": face.sure,
    }
    if face.landmarks is not None:
        for point, (x, y) in zip(LANDMARKS, face.landmarks, strict=True):
            cells[f"{point}_x"], cells[f"{point}_y"] = round(float(x), _DECIMALS), round(float(y), _DECIMALS)
        cells["landmarks_age_ms"] = round(face.landmarks_age_ms, _DECIMALS)
    if (pose := face.head_pose) is not None:
        angles = {"yaw": pose.yaw, "pitch": pose.pitch, "roll": pose.roll}
        cells.update({name: round(degrees, _DECIMALS) for name, degrees in angles.items()})
    for number, head in enumerate(face.heads):
        cells.update(_head_cells(head, "" if number == 0 else f"{head.name}_"))
    return cells


def _head_cells(head: HeadResult, prefix: str) -> Iterator[tuple[str, Any]]:
    affect = set(head.labels) <= set(AFFECT)
    if prefix and not affect:
        yield f"{prefix}label", head.label
        yield f"{prefix}confidence", round(head.confidence, _DECIMALS)
    smoothed, raw = ("", "raw_") if affect else (f"{prefix}p_", f"{prefix}raw_")
    for label, value in zip(head.labels, head.probabilities, strict=True):
        yield f"{smoothed}{label}", round(float(value), _DECIMALS)
    if head.raw_probabilities is not None:
        for label, value in zip(head.labels, head.raw_probabilities, strict=True):
            yield f"{raw}{label}", round(float(value), _DECIMALS)


def _writable(text: str) -> str:
    """``text`` with the bytes of a name that is no UTF-8 escaped as in JSON."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
