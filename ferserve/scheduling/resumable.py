"""What is kept of streams whose connection is gone, for those that come back."""

from __future__ import annotations

import time
from dataclasses import dataclass

from ferserve.tracking.state import StreamState

MOST_PARKED = 1000
"""Streams that are kept at most; the longest gone make room."""


@dataclass(frozen=True)
class Parked:
    """A stream's memory and the last frame that was answered."""

    state: StreamState
    last_frame_id: int
    expires: float


class ParkedStreams:
    """By the id of the stream, the longest gone first. For one thread at a time."""

    def __init__(self, keep_s: float) -> None:
        """``keep_s``: how long to keep a stream."""
        self._keep_s = keep_s
        self._parked: dict[str, Parked] = {}

    def __len__(self) -> int:
        return len(self._parked)

    def put(self, stream_id: str, state: StreamState, last_frame_id: int) -> None:
        """Keep what a stream remembers from now on."""
        self._parked.pop(stream_id, None)
        self._parked[stream_id] = Parked(state, last_frame_id, time.monotonic() + self._keep_s)
        self._forget_old()

    def take(self, stream_id: str) -> Parked | None:
        """Give back what is kept under ``stream_id``; None where nothing is, or not any more."""
        self._forget_old()
        return self._parked.pop(stream_id, None)

    def _forget_old(self) -> None:
        now = time.monotonic()
        while self._parked:
            longest_gone = next(iter(self._parked))
            if len(self._parked) <= MOST_PARKED and self._parked[longest_gone].expires > now:
                return
            del self._parked[longest_gone]
