"""What is to be done: one source, and how it is looked at."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from ferserve.config import EngineConfig
from ferserve.options import Delivery, StreamOptions

Locator: TypeAlias = str | int | tuple[str, ...] | None
"""A path, a URL, a camera's index, the pictures of a sequence; None for the standard input."""


@dataclass(frozen=True)
class Look:
    """How sources are looked at."""

    every: int = 1
    """Look at the first frame and then at every n-th one."""
    start_s: float | None = None
    """Container time of the first frame to look at, s."""
    end_s: float | None = None
    """Container time at which to stop, s; of live sources the time since their first frame."""
    sequence_fps: float | None = None
    """Pictures a second of sequences of pictures."""
    video: bool = True
    """Whether to write the annotated clip."""
    plots: bool = True
    """Whether to draw the timeline."""
    stream: StreamOptions = field(default_factory=lambda: StreamOptions(delivery=Delivery.EVERY))
    chunk_frames: int = 500
    """Frames between two points from which a run that was killed goes on."""

    @property
    def start_ns(self) -> int:
        """Time from which on frames are looked at, ns; far in the past without a start."""
        return -(2**63) if self.start_s is None else round(self.start_s * 1e9)

    @property
    def end_ns(self) -> int:
        """Time at which to stop, ns; far in the future without an end."""
        return 2**63 if self.end_s is None else round(self.end_s * 1e9)


@dataclass(frozen=True)
class Job:
    """One source and the folder for what is made of it."""

    name: str
    """As people see it."""
    locator: Locator
    folder: Path
    look: Look
    overwrite: bool = False
    resume: bool = False


def repeatable(config: EngineConfig) -> EngineConfig:
    """``config`` without what depends on the load of the machine: batches over streams, and limits of time."""
    from dataclasses import replace

    return replace(config, max_batch_size=1, max_frame_ms=600_000.0)
