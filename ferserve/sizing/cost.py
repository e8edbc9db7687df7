"""What a frame costs on a machine: measured once, kept as JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from ferserve.errors import ConfigError

_SHIPPED = "cost.json"


@dataclass(frozen=True)
class FrameCost:
    """Of JPEG frames of one size, each with ``faces`` faces."""

    width: int
    height: int
    faces: int
    cpu_ms: float
    """Processor time of all of the server's threads per frame, beside other cameras."""
    alone_p50_ms: float
    """From capture to answer if the server has nothing else to do."""
    alone_p99_ms: float
    frame_bytes: float
    variation: float
    """Squared coefficient of variation of the time of work, 1 for exponential times."""

    @property
    def pixels(self) -> int:
        return self.width * self.height


@dataclass(frozen=True)
class Cost:
    """Unit costs of one machine."""

    machine: str
    date: str
    frames: tuple[FrameCost, ...]
    worker_mb: float
    """Resident memory of a worker with its cameras, MB of 10^6 bytes."""
    result_bytes: float
    """Of an answer with one face."""
    proxy_cpu_ms: float
    """Processor time of a proxy per frame of :attr:`proxy_frame_bytes`; larger frames cost in proportion."""
    proxy_frame_bytes: float

    def of(self, width: int, height: int) -> FrameCost:
        """The cost of a frame of this size: measured, or on the line through the two sizes that are nearest in pixels.

        Raises :class:`ConfigError` if only one other size was measured.
        """
        nearest = sorted(self.frames, key=lambda each: abs(each.pixels - width * height))
        if nearest[0].pixels == width * height:
            return dataclasses.replace(nearest[0], width=width, height=height)
        if len(nearest) < 2:
            known = nearest[0]
            raise ConfigError(
                f"--size must be {known.width}x{known.height}, the one size of the cost file, got {width}x{height}; "
                "measure it with --measure"
            )
        return _between(nearest[0], nearest[1], width, height)

    def to_json(self) -> str:
        """What :func:`read_cost` reads."""
        return json.dumps(dataclasses.asdict(self), indent=1) + "\n"


def shipped_cost() -> Cost:
    """The figures that come with the package; ``machine`` and ``date`` say whose."""
    return _parse(resources.files(__package__).joinpath(_SHIPPED).read_text("utf-8"), _SHIPPED)


def read_cost(path: Path) -> Cost:
    """Raises :class:`ConfigError` for a file that is not there, or is not what ``ferserve size --save`` wrote."""
    try:
        text = path.read_text("utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no text"
        raise ConfigError(f"--cost must be a file that can be read, got {path}: {reason}") from None
    return _parse(text, str(path))


def _parse(text: str, name: str) -> Cost:
    try:
        values = json.loads(text)
        cost = Cost(**{**values, "frames": tuple(FrameCost(**each) for each in values["frames"])})
        numbers = [cost.worker_mb, cost.result_bytes, cost.proxy_cpu_ms, cost.proxy_frame_bytes]
        for frame in cost.frames:
            numbers += [value for key, value in dataclasses.asdict(frame).items() if key != "variation"]
        sound = bool(cost.frames) and all(0 < number < 1e9 and math.isfinite(number) for number in numbers)
        sound = sound and all(0 <= frame.variation < 100 for frame in cost.frames)
    except (ValueError, TypeError, KeyError, AttributeError):
        sound = False
    if not sound:
        raise ConfigError(f"--cost must be a file of `ferserve size --measure --save FILE`, got {name}; write it anew")
    return cost


def _between(near: FrameCost, far: FrameCost, width: int, height: int) -> FrameCost:
    """On the line through both, but never below the share of the pixels that a smaller frame has."""
    share = (width * height - near.pixels) / (far.pixels - near.pixels)
    scale = width * height / near.pixels

    def at(name: str) -> float:
        first, second = getattr(near, name), getattr(far, name)
        low, high = sorted((first, first * scale))
        return float(min(max(first + share * (second - first), low), high))

    made: dict[str, Any] = {name: at(name) for name in ("cpu_ms", "alone_p50_ms", "alone_p99_ms", "frame_bytes")}
    return dataclasses.replace(near, width=width, height=height, **made)
