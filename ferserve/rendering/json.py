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
    if result.fault is not None:
        line["error"] = dataclasses.asdict(result.fault)
    if result.dropped is not None:
        line["dropped"] = result.dropped.value
    timings = dataclasses.asdict(result.timings)
    line["timings_ms"] = {stage.removesuffix("_ms"): round(value, 3) for stage, value in timings.items()}
    return json.dumps(line)  # in ASCII: no encoding of stdout, and no file name, can break it


def _face(face: Face) -> dict[str, Any]:
    told: dict[str, Any] = {
        "track_id": face.track_id,
        "box": [round(edge, 2) for edge in face.box],
        "score": round(face.score, 4),
        "emotion": face.emotion,
        "confidence": round(face.confidence, 4),
        "probabilities": _probabilities(face.heads[0]),
    }
    if len(face.heads) > 1:
        told["heads"] = {head.name: _probabilities(head) for head in face.heads[1:]}
    return told


def _probabilities(head: HeadResult) -> dict[str, float]:
    return {label: round(float(value), 4) for label, value in zip(head.labels, head.probabilities, strict=True)}


def text_line(name: str | int, result: FrameResult) -> str:
    """One result in words."""
    if result.fault is not None:
        return f"{name}: {result.fault.message}"
    if result.dropped is not None:
        return f"{name}: dropped, {result.dropped.value}"
    faces = ", ".join(f"#{face.track_id} {label_text(face)} {face.confidence:.2f}" for face in result.faces)
    return f"{name}: {faces or 'no face'}"


def label_text(face: Face) -> str:
    """What people are told of a face."""
    return face.emotion if face.sure else f"{NOT_SURE}: {face.emotion}"


def print_error(name: str | int, message: str) -> None:
    """Say on stderr, in one line, what was wrong with one input."""
    print(f"ferserve: {name}: {message}", file=sys.stderr, flush=True)
