"""Results as lines: JSON for programs, text for people."""

from __future__ import annotations

import json
import sys
from typing import Any

from ferserve.types import Face, FrameResult

NOT_SURE = "not sure"


SCHEMA_VERSION = 2
"""Version of the JSON lines; it rises if a field changes its meaning or goes. result.schema.json describes them."""

_DECIMALS = 4


def json_line(result: FrameResult, source: str | None = None) -> str:
    """``result`` as one JSON object: :meth:`FrameResult.to_dict` with rounded numbers, the version and the source."""
    line: dict[str, Any] = {"schema_version": SCHEMA_VERSION}
    if source is not None:
        line["source"] = source
    return json.dumps(line | rounded(result.to_dict()))  # in ASCII, which every encoding of stdout can carry


def rounded(value: Any) -> Any:
    """``value``, of the types of JSON, with each number rounded to four decimals."""
    if isinstance(value, float):
        return round(value, _DECIMALS)
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, list) else value


def text_line(name: str | int, result: FrameResult) -> str:
    """One result as a line of text."""
    if result.fault is not None:
        return f"{name}: {result.fault.message}"
    if result.dropped is not None:
        return f"{name}: dropped, {result.dropped.value}"
    faces = ", ".join(f"#{face.track_id} {label_text(face)} {face.confidence:.2f}" for face in result.faces)
    note = f" ({result.degraded})" if result.degraded else ""
    return f"{name}: {faces or 'no face'}{note}"


def label_text(face: Face) -> str:
    """The emotion of a face as people should read it, with a mark if the model is not sure."""
    return face.emotion if face.sure else f"{NOT_SURE}: {face.emotion}"


def print_error(name: str | int, message: str) -> None:
    """Print the fault of one input on stderr, in one line."""
    print(f"ferserve: {name}: {message}", file=sys.stderr, flush=True)
