"""A stream's state as JSON and back, to the last bit: a run that was killed goes on as if nothing had been.

Pickle would do the same, and run whatever a stranger writes into a file.
"""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np

from ferserve.errors import InvalidOptionsError
from ferserve.tracking import cut, neutral, schedule, smoothing, state, template, track, tracker

_CLASSES = {
    kind.__name__: kind
    for kind in (
        *(state.StreamState, state.StateSettings, tracker.Tracker, track.Track, track.DetectedSize, track.Sighting),
        *(cut.Scene, schedule.DetectionSchedule, smoothing.Smoother, smoothing.FilterState),
        *(neutral.NeutralCalibration, neutral.Reference),
    )
}
_LEFT_OUT = frozenset(("lock", "_sample", "_arrival_ns"))
"""Attributes that belong to the process."""
_DTYPES = ("uint8", "int64", "float32", "float64", "bool")


def snapshot(stream: state.StreamState) -> Any:
    """``stream`` in the types of JSON; nobody may use it meanwhile."""
    return _plain(stream)


def restored(plain: Any, sample: template.Sampler) -> state.StreamState:
    """The state that :func:`snapshot` made ``plain`` of, with ``sample`` for cutting faces out.

    Raises :class:`InvalidOptionsError` if it is no snapshot.
    """
    try:
        stream = _value(plain, sample)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InvalidOptionsError(f"snapshot must be one of a stream, got another: {error!r}; begin anew") from None
    if not isinstance(stream, state.StreamState):
        raise InvalidOptionsError(f"snapshot must be one of a stream, got one of {type(stream).__name__}; begin anew")
    return stream


def _plain(value: Any) -> Any:
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        return value if math.isfinite(value) else {"float": repr(value)}
    if isinstance(value, np.ndarray):
        data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
        return {"array": [value.dtype.name, list(value.shape), data]}
    if isinstance(value, np.generic):
        return {"scalar": [value.dtype.name, base64.b64encode(value.tobytes()).decode()]}
    if isinstance(value, tuple):
        return {"tuple": [_plain(item) for item in value]}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {"pairs": [[_plain(key), _plain(item)] for key, item in value.items()]}
    name = type(value).__name__
    if _CLASSES.get(name) is not type(value):
        raise TypeError(f"state must hold plain values, got {name}")
    fields = getattr(type(value), "__slots__", None) or vars(value)
    return {"class": name, "fields": {f: _plain(getattr(value, f)) for f in fields if f not in _LEFT_OUT}}


def _value(plain: Any, sample: template.Sampler) -> Any:
    if isinstance(plain, list):
        return [_value(item, sample) for item in plain]
    if not isinstance(plain, dict):
        return plain
    if "class" in plain:
        return _object(plain, sample)
    if "pairs" in plain:
        return {_value(key, sample): _value(item, sample) for key, item in plain["pairs"]}
    if "tuple" in plain:
        return tuple(_value(item, sample) for item in plain["tuple"])
    if "float" in plain:
        return float(plain["float"])
    dtype, *shape, data = plain["array"] if "array" in plain else plain["scalar"]
    if dtype not in _DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(_DTYPES)}, got {dtype}")
    flat = np.frombuffer(base64.b64decode(data), dtype)
    return flat.reshape(shape[0]).copy() if shape else flat[0]


def _object(plain: dict[str, Any], sample: template.Sampler) -> Any:
    kind = _CLASSES[plain["class"]]
    made = kind.__new__(kind)  # the constructors would set what the fields hold
    for field, value in plain["fields"].items():
        object.__setattr__(made, field, _value(value, sample))
    if isinstance(made, state.StreamState):
        made.begin_again()
    if isinstance(made, tracker.Tracker):
        object.__setattr__(made, "_sample", sample)
    return made
