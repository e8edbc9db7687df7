"""What a caller may choose for one call or one stream. None and 0 stand for the engine's default."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ferserve.errors import InvalidOptionsError


def require_range(name: str, value: float | None, low: float, high: float, unit: str = "") -> None:
    """Raises :class:`InvalidOptionsError` where ``value`` is neither None nor a number from ``low`` to ``high``."""
    if value is None:
        return
    if not low <= value <= high:  # nor where it is no number
        raise InvalidOptionsError(f"{name} must be from {low:g} to {high:g}{unit}, got {value:g}")


class Delivery(Enum):
    """How a stream treats frames that arrive faster than they can be answered."""

    LATEST = "latest"
    """The newest frame wins; skipped ones are answered as dropped."""
    EVERY = "every"
    """Every frame is classified; the sender is slowed down."""


class Priority(Enum):
    """Shares of the machine: a stream gets turns in proportion to its weight when workers are short."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"

    @property
    def weight(self) -> float:
        """Turns in comparison with a normal stream."""
        return {Priority.LOW: 0.25, Priority.NORMAL: 1.0, Priority.HIGH: 4.0}[self]


@dataclass(frozen=True, slots=True)
class FrameOptions:
    """Choices that hold for a single image as well as for a stream."""

    model: str = ""
    """Name of a model; empty for the engine's default."""
    min_score: float | None = None
    """Least detector score of a face, in [0, 1]."""
    max_faces: int = 0
    """At most this many faces a frame, the largest first."""
    detection_side_px: int = 0
    """Longest side of the image that the detector sees."""

    def __post_init__(self) -> None:
        require_range("options.min_score", self.min_score, 0, 1)
        require_range("options.max_faces", self.max_faces, 0, 2**31)
        require_range("options.detection_side_px", self.detection_side_px, 0, 65535, " px")


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """Choices for a stream of frames."""

    frame: FrameOptions = FrameOptions()
    delivery: Delivery | None = None
    """None lets a client choose by the source: ``LATEST`` for live ones, ``EVERY`` for all others. A server's own
    default is ``LATEST``."""
    smoothing_ms: float | None = None
    """Time constant of the smoothing of probabilities; 0 for none."""
    detection_interval: int = 0
    """The detector looks at every n-th frame at least."""
    min_detection_interval: int = 0
    """The detector looks at every n-th frame at most."""
    priority: Priority = Priority.NORMAL
    """The stream's share of the machine when there is not enough for all."""
    neutral_first_ms: float = 0.0
    """Each face is taken to be neutral for so long after it appeared, to learn how it looks at rest; 0 for never."""
    frame_deadline_ms: int = 0
    """Frames not answered this long after they arrived are dropped; 0 for no deadline."""
    stream_id: str = ""
    """A name under which the stream can be reopened after a broken connection."""

    def __post_init__(self) -> None:
        chosen = Delivery.LATEST if self.delivery is None else self.delivery
        for name, value, kind in (("delivery", chosen, Delivery), ("priority", self.priority, Priority)):
            if not isinstance(value, kind):
                choices = ", ".join(str(choice) for choice in kind)
                raise InvalidOptionsError(f"config.{name} must be one of {choices}, got {value!r}")
        require_range("config.smoothing_ms", self.smoothing_ms, 0, 60_000, " ms")
        require_range("config.detection_interval", self.detection_interval, 0, 1000, " frames")
        require_range("config.min_detection_interval", self.min_detection_interval, 0, 1000, " frames")
        if self.detection_interval and self.min_detection_interval > self.detection_interval:
            raise InvalidOptionsError(
                f"config.min_detection_interval must be at most detection_interval {self.detection_interval}, "
                f"got {self.min_detection_interval}"
            )
        require_range("config.neutral_first_ms", self.neutral_first_ms, 0, 60_000, " ms")
        require_range("config.frame_deadline_ms", self.frame_deadline_ms, 0, 600_000, " ms")
        if len(self.stream_id) > 128:
            raise InvalidOptionsError(f"config.stream_id must be at most 128 characters, got {len(self.stream_id)}")
