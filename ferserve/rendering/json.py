"""Results as lines: JSON for programs, text for people."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import Any

from ferserve.types import Face, FrameResult, HeadResult

NOT_SURE = "not sure"


def json_line(key: str, name: str | int, result: FrameResult) -> str:
    """One result as one JSON object: ``key`` is ``file`` or ``frame_id``, ``name`` its value."""
    line: dict[str, Any] = {key: name, "faces": [_face(face) for face in result.faces]}
    if result.degraded:
        line["degraded"] = result.degraded
    if result.fault is not None:
        line["error"] = dataclasses.asdict(result.fault)
    if result.dropped is not None:
        line["dropped"] = result.dropped.value
    timings = dataclasses.asdict(result.timings)
    line["timings_ms"] = {stage.removesuffix("_ms"): round(value, 3) for stage, value in timings.items()}
    return json.dumps(line)  # in ASCII, which every encoding of stdout can carry


def _face(face: Face) -> dict[str, Any]:
    values: dict[str, Any] = {
        "track_id": face.track_id,
        "box": [round(edge, 2) for edge in face.box],
        "score": round(face.score, 4),
        "emotion": face.emotion,
        "confidence": round(face.confidence, 4),
        "probabilities": _probabilities(face.heads[0]),
    }
    if len(face.heads) > 1:
        values["heads"] = {head.name: _probabilities(head) for head in face.heads[1:]}
    return values


def _probabilities(head: HeadResult) -> dict[str, float]:
    return {label: round(float(value), 4) for label, value in zip(head.labels, head.probabilities, strict=True)}


def text_line(name: str | int, result: FrameResult) -> str:
    """One result as a line of text."""
    if result.fault is not None:
        return f"{name}: {result.fault.message}"
    if result.dropped is not None:
        return f"{name}: dropped, {result.dropped.value}"
    faces = ", ".join(f"#{face.track_id} {label_text(face)} {face.confidence:.2f}" for face in result.faces)
    return f"{name}: {faces or 'no face'}"


def label_text(face: Face) -> str:
    """The emotion of a face as people should read it, with a mark if the model is not sure."""
    return face.emotion if face.sure else f"{NOT_SURE}: {face.emotion}"


def print_error(name: str | int, message: str) -> None:
    """Print the fault of one input on stderr, in one line."""
    print(f"ferserve: {name}: {message}", file=sys.stderr, flush=True)
