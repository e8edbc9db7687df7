"""Options of web apps: text of a query, or values of JSON, into :class:`FrameOptions` and :class:`StreamOptions`."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from enum import Enum
from typing import Any

from ferserve.errors import InvalidOptionsError, quoted
from ferserve.options import Delivery, FrameOptions, Priority, StreamOptions

_FRAME = {field.name for field in dataclasses.fields(FrameOptions)}
_STREAM = {field.name for field in dataclasses.fields(StreamOptions)} - {"frame"}
_WHOLE = {"max_faces", "detection_side_px"}
_REAL = {"min_score"}
_ENUMS: dict[str, type[Enum]] = {"delivery": Delivery, "priority": Priority}
_BOOLEANS = {"true": True, "false": False}


def frame_options_of_query(query: Mapping[str, str]) -> FrameOptions:
    """The options of a picture from the parameters of its URL; raises :class:`InvalidOptionsError`."""
    _require_known(query, _FRAME)
    return FrameOptions(**{name: _parsed(name, text) for name, text in query.items()})


def stream_options_of_json(values: Mapping[str, Any]) -> StreamOptions:
    """The options of a stream from its config; raises :class:`InvalidOptionsError`."""
    _require_known(values, _FRAME | _STREAM)
    frame = FrameOptions(**{name: value for name, value in values.items() if name in _FRAME})
    stream = {name: _chosen(name, value) for name, value in values.items() if name in _STREAM}
    return StreamOptions(frame, **stream)


def _require_known(values: Mapping[str, Any], known: set[str]) -> None:
    for name in values:
        if name not in known:
            near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0)[0]
            raise InvalidOptionsError(f"options must be those of the API, got {quoted(name)}; the nearest is {near!r}")


def _parsed(name: str, text: str) -> Any:
    try:
        if name in _WHOLE:
            return int(text)
        if name in _REAL:
            return float(text)
    except ValueError:
        kind = "a whole number" if name in _WHOLE else "a number"
        raise InvalidOptionsError(f"{name} must be {kind}, got {quoted(text)}") from None
    if name == "models":
        return tuple(text.split(","))
    if name != "use_truncated":
        return text
    if text not in _BOOLEANS:
        raise InvalidOptionsError(f"{name} must be true or false, got {quoted(text)}")
    return _BOOLEANS[text]


def _chosen(name: str, value: Any) -> Any:
    if name not in _ENUMS:
        return value
    try:
        return _ENUMS[name](value)
    except ValueError:
        choices = ", ".join(member.value for member in _ENUMS[name])
        raise InvalidOptionsError(f"{name} must be one of {choices}, got {quoted(value)}") from None
