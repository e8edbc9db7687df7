"""How a live source fares, for people and programs that watch it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum


class SourceState(Enum):
    """What a live source does now."""

    CONNECTING = "connecting"
    """It is opened for the first time, or was, and no frame has come yet."""
    LIVE = "live"
    """Frames come."""
    STALLED = "stalled"
    """It is connected, and no frame came for two seconds."""
    LOST = "lost"
    """Its connection is gone, and it is opened again and again."""


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """State and totals of a live source. As text it is a line for a log."""

    source: str
    """Its name, without passwords."""
    state: SourceState = SourceState.CONNECTING
    reason: str = ""
    """Why it is stalled or lost; empty otherwise."""
    frames: int = 0
    """Frames that were read."""
    dropped: int = 0
    """Those of them that a newer one replaced before somebody took them."""
    reconnects: int = 0
    """How often it came back."""

    def __str__(self) -> str:
        why = f" ({self.reason})" if self.reason else ""
        return f"{self.source} is {self.state.value}{why}"


OnState = Callable[[SourceStatus], None]
"""Called with each new state, in the thread that reads the source or in the one that takes its frames."""
