"""Choices of a caller for one call or one stream. None and 0 select the engine's default."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from numbers import Integral, Real
from typing import Any, Final

from ferserve.errors import InvalidOptionsError, quoted

MAX_TRACK_ID = 100_000_000_000
"""Largest :attr:`StreamOptions.last_track_id`; a new face per millisecond gets there in three years."""

MAX_NAME: Final = 128
"""Characters of a name that a caller chooses."""


MAX_MODELS: Final = 8
"""Most models that answer one stream."""


def require_range(name: str, value: object, low: float, high: float, unit: str = "", *, whole: bool = False) -> None:
    """Raises :class:`InvalidOptionsError` unless ``value`` is None or a number from ``low`` to ``high``.

    ``whole`` accepts integers only. Bool is no number.
    """
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, Integral if whole else Real):
        wanted = "a whole number" if whole else "a number"
        raise InvalidOptionsError(f"{name} must be {wanted} from {low:.12g} to {high:.12g}{unit}, got {quoted(value)}")
    number: Any = value
    if not low <= number <= high:  # nan included
        raise InvalidOptionsError(f"{name} must be from {low:.12g} to {high:.12g}{unit}, got {_number(number)}")


def _number(value: Any) -> str:
    try:
        return f"{float(value):.12g}"
    except OverflowError:  # an int beyond float64
        return "a number beyond 1e308"


def _require_type(name: str, value: object, kind: type) -> None:
    if not isinstance(value, kind):
        choices = ", ".join(map(str, kind)) if issubclass(kind, Enum) else ""
        expected = f"one of {choices}" if choices else f"a {kind.__name__}"
        raise InvalidOptionsError(f"{name} must be {expected}, got {quoted(value)}")


def _require_length(name: str, value: str) -> None:
    if len(value) > MAX_NAME:
        raise InvalidOptionsError(f"{name} must be at most {MAX_NAME} characters, got {len(value)}")


def _require_models(models: Any, model: object) -> None:
    if isinstance(models, (str, bytes)) or not isinstance(models, Sequence):
        raise InvalidOptionsError(f"models must be a list of names, got {quoted(models)}")
    if model:
        raise InvalidOptionsError(f"models must be left out with model {quoted(model)}, got both; set one of them")
    if len(models) > MAX_MODELS:
        raise InvalidOptionsError(f"models must be at most {MAX_MODELS} names, got {len(models)}")
    for i, name in enumerate(models):
        _require_type(f"models[{i}]", name, str)
        _require_length(f"models[{i}]", name)
    if len(set(models)) < len(models) or "" in models:
        raise InvalidOptionsError(f"models must be distinct names, got {quoted(list(models))}")


class Delivery(Enum):
    """What a stream does with frames that arrive faster than it can classify them."""

    LATEST = "latest"
    """The newest frame wins; skipped frames come back as dropped."""
    EVERY = "every"
    """Every frame is classified; the sender is slowed down."""


class Priority(Enum):
    """Share of the machine: when workers are short, clients get equal time, and their streams divide it by weight."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"

    @property
    def weight(self) -> float:
        """Time relative to a normal stream of the same client."""
        return {Priority.LOW: 0.25, Priority.NORMAL: 1.0, Priority.HIGH: 4.0}[self]


@dataclass(frozen=True, slots=True)
class FrameOptions:
    """Options of a single image, and of every frame of a stream.

    Raises :class:`InvalidOptionsError` for a value of the wrong type or out of range.
    """

    model: str = ""
    """Name of a model: ``NAME``, ``NAME@VERSION`` or ``NAME@ALIAS``; empty for the engine's default."""
    min_score: float | None = None
    """Lowest detector score of a face, in [0, 1]."""
    max_faces: int = 0
    """Most faces per frame; the largest are kept."""
    detection_side_px: int = 0
    """Longest side of the image that the detector gets, at most 65535 px; frames are never enlarged."""
    use_truncated: bool = False
    """Use a JPEG of one scan (baseline) whose end is missing as far as it goes, its missing rows grey, and say so in
    ``degraded``; otherwise it is a fault."""
    models: Sequence[str] = ()
    """Names of up to eight models that all answer, instead of ``model``: faces are detected once, and each has the
    heads of all models in this order. A head whose name an earlier model has is called ``MODEL/HEAD``."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the models that answer; empty for the default one."""
        return tuple(self.models) or (self.model,)

    def __post_init__(self) -> None:
        if self.models:
            _require_models(self.models, self.model)
            object.__setattr__(self, "models", tuple(self.models))
        _require_type("model", self.model, str)
        _require_length("model", self.model)
        require_range("min_score", self.min_score, 0, 1)
        _require_type("use_truncated", self.use_truncated, bool)
        require_range("max_faces", self.max_faces, 0, 2**31, whole=True)
        require_range("detection_side_px", self.detection_side_px, 0, 65535, " px", whole=True)


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """Options of a stream of frames.

    Raises :class:`InvalidOptionsError` for a value of the wrong type or out of range.
    """

    frame: FrameOptions = FrameOptions()
    """Options of its frames."""
    delivery: Delivery | None = None
    """What happens to frames that arrive faster than they can be classified. None lets a client choose by the source:
    ``LATEST`` for live ones, ``EVERY`` for all others; a server's own default is ``LATEST``."""
    smoothing_ms: float | None = None
    """Time constant of the smoothing of probabilities, at most 60000 ms; 0 turns it off."""
    detection_interval: int = 0
    """At least one detection pass per this many frames, at most 1000."""
    min_detection_interval: int = 0
    """At most one detection pass per this many frames."""
    priority: Priority = Priority.NORMAL
    """The stream's share of its client's part of the machine when there is not enough for all."""
    neutral_first_ms: float = 0.0
    """Calibrate on each face's first milliseconds, at most 60000, taken as its neutral face; 0 turns this off."""
    frame_deadline_ms: int = 0
    """Frames without a result this long after their arrival are dropped, at most 600000 ms; 0 for no deadline."""
    stream_id: str = ""
    """Name under which the stream can be reopened after a broken connection, at most 128 characters."""
    last_track_id: int = 0
    """Largest track id that the caller has seen in this stream, at most 100000000000; new faces get larger ones.

    Clients say it when they reconnect, so that no id is used twice even if the server has lost the tracks.
    """

    def __post_init__(self) -> None:
        _require_type("frame", self.frame, FrameOptions)
        _require_type("delivery", Delivery.LATEST if self.delivery is None else self.delivery, Delivery)
        _require_type("priority", self.priority, Priority)
        _require_type("stream_id", self.stream_id, str)
        require_range("smoothing_ms", self.smoothing_ms, 0, 60_000, " ms")
        require_range("detection_interval", self.detection_interval, 0, 1000, " frames", whole=True)
        require_range("min_detection_interval", self.min_detection_interval, 0, 1000, " frames", whole=True)
        if self.detection_interval and self.min_detection_interval > self.detection_interval:
            raise InvalidOptionsError(
                f"min_detection_interval must be at most detection_interval {self.detection_interval}, "
                f"got {self.min_detection_interval}"
            )
        require_range("neutral_first_ms", self.neutral_first_ms, 0, 60_000, " ms")
        require_range("frame_deadline_ms", self.frame_deadline_ms, 0, 600_000, " ms", whole=True)
        require_range("last_track_id", self.last_track_id, 0, MAX_TRACK_ID, whole=True)
        _require_length("stream_id", self.stream_id)
