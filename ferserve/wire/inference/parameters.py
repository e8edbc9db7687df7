"""Parameters of a request: sequences, time, and the options of frames and streams."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from ferserve.errors import InvalidOptionsError, StreamProtocolError, quoted
from ferserve.inference import service_pb2 as pb
from ferserve.options import Delivery, FrameOptions, Priority, StreamOptions
from ferserve.types import PixelFormat

Parameters: TypeAlias = Mapping[str, Any]
"""Values in Python's own types by name."""

FRAME_OPTIONS: Final = ("min_score", "max_faces", "detection_side_px", "use_truncated")
"""Fields of :class:`FrameOptions` that a request of frames may set."""
STREAM_OPTIONS: Final = (
    "smoothing_ms",
    "detection_interval",
    "min_detection_interval",
    "neutral_first_ms",
    "frame_deadline_ms",
)
"""Fields of :class:`StreamOptions` that the request which starts a sequence may set, besides ``delivery``."""
OF_A_FRAME: Final = ("capture_time_ns", "neutral", "pixel_format")
OF_EVERY_REQUEST: Final = ("priority", "timeout", "binary_data_output")
OF_A_SEQUENCE: Final = ("sequence_id", "sequence_start", "sequence_end")
_RESERVED: Final = "triton_"
"""Parameters of Triton's clients for their server, such as ``triton_enable_empty_final_response``."""
_PRIORITIES: Final = {0: Priority.NORMAL, 1: Priority.HIGH, 2: Priority.NORMAL, 3: Priority.LOW}
"""As in Triton, 1 comes first and 0 is the default."""
MAX_TIMEOUT_US: Final = 3_600_000_000
_PIXELS: Final = {"rgb": PixelFormat.RGB24, "bgr": PixelFormat.BGR24}


@dataclass(frozen=True, slots=True)
class SequenceControl:
    """What a request says of its sequence."""

    id: int | str
    start: bool
    end: bool


def parameters_of(request: pb.ModelInferRequest, known: tuple[str, ...]) -> Parameters:
    """The parameters of ``request``; raises :class:`InvalidOptionsError` for one that is none of ``known``."""
    values = {}
    for name, parameter in request.parameters.items():
        if name.startswith(_RESERVED):
            continue
        if name not in known:
            raise InvalidOptionsError(f"parameters must be some of {', '.join(sorted(known))}, got {quoted(name)}")
        kind = parameter.WhichOneof("parameter_choice")
        if kind is None:
            raise InvalidOptionsError(f"{name} must have a value, got none; set one of the parameter's fields")
        values[name] = getattr(parameter, kind)
    return values


def sequence_of(parameters: Parameters) -> SequenceControl | None:
    """The sequence of a request; None if it belongs to none. Raises :class:`StreamProtocolError`."""
    number = parameters.get("sequence_id", 0)
    start, end = parameters.get("sequence_start", False), parameters.get("sequence_end", False)
    if isinstance(number, bool) or not isinstance(number, (int, str)):
        raise StreamProtocolError(f"sequence_id must be an integer or a string, got {quoted(number)}")
    if isinstance(number, str) and len(number) > 128:
        raise StreamProtocolError(f"sequence_id must have at most 128 characters, got {len(number)}")
    for name, flag in (("sequence_start", start), ("sequence_end", end)):
        if not isinstance(flag, bool):
            raise StreamProtocolError(f"{name} must be true or false, got {quoted(flag)}")
    if number in (0, ""):
        if start or end:
            raise StreamProtocolError(
                "sequence_id must be an integer other than 0 or a string if sequence_start or sequence_end is set, "
                "got none"
            )
        return None
    return SequenceControl(number, start, end)


def timeout_s_of(parameters: Parameters) -> float | None:
    """How long the answer may take; the parameter is in microseconds. Raises :class:`InvalidOptionsError`."""
    timeout_us = parameters.get("timeout", 0)
    if isinstance(timeout_us, bool) or not isinstance(timeout_us, int) or not 0 <= timeout_us <= MAX_TIMEOUT_US:
        raise InvalidOptionsError(f"timeout must be an integer from 0 to {MAX_TIMEOUT_US} us, got {quoted(timeout_us)}")
    return timeout_us / 1e6 if timeout_us else None


def priority_of(parameters: Parameters) -> Priority:
    """1 for high, 2 or 0 for normal, 3 for low; raises :class:`InvalidOptionsError`."""
    priority = parameters.get("priority", 0)
    if isinstance(priority, bool) or not isinstance(priority, int) or priority not in _PRIORITIES:
        raise InvalidOptionsError(f"priority must be 1 (high), 2 (normal) or 3 (low), got {quoted(priority)}")
    return _PRIORITIES[priority]


def frame_options_of(parameters: Parameters, model: str) -> FrameOptions:
    """The options of a frame; raises :class:`InvalidOptionsError`."""
    return FrameOptions(model=model, **{name: parameters[name] for name in FRAME_OPTIONS if name in parameters})


def stream_options_of(parameters: Parameters, model: str) -> StreamOptions:
    """The options of the stream that a sequence starts; every frame is answered by default.

    Raises :class:`InvalidOptionsError`.
    """
    delivery = parameters.get("delivery", Delivery.EVERY.value)
    known = [item.value for item in Delivery]
    if delivery not in known:
        raise InvalidOptionsError(f"delivery must be one of {', '.join(known)}, got {quoted(delivery)}")
    return StreamOptions(
        frame=frame_options_of(parameters, model),
        delivery=Delivery(delivery),
        priority=priority_of(parameters),
        **{name: parameters[name] for name in STREAM_OPTIONS if name in parameters},
    )


def pixel_format_of(parameters: Parameters) -> PixelFormat:
    """The order of the colours in [H, W, 3], red first by default; raises :class:`InvalidOptionsError`."""
    order = parameters.get("pixel_format", "rgb")
    if order not in _PIXELS:
        raise InvalidOptionsError(f"pixel_format must be one of {', '.join(_PIXELS)}, got {quoted(order)}")
    return _PIXELS[order]


def whole_number(parameters: Parameters, name: str) -> int:
    """An integer of 64 bits, 0 if it is missing; raises :class:`InvalidOptionsError`."""
    value = parameters.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
        raise InvalidOptionsError(f"{name} must be an integer of 64 bits, got {quoted(value)}")
    return value


def flag(parameters: Parameters, name: str) -> bool:
    """True or false, which it is if it is missing; raises :class:`InvalidOptionsError`."""
    value = parameters.get(name, False)
    if not isinstance(value, bool):
        raise InvalidOptionsError(f"{name} must be true or false, got {quoted(value)}")
    return value
