"""The tracks of streams whose connection broke, kept for their return."""

from __future__ import annotations

import time
from dataclasses import dataclass

from ferserve.tracking.state import StreamState

MAX_RESUMABLE = 1000
"""Streams that are kept at most; the longest gone make room."""


@dataclass(frozen=True)
class ResumableStream:
    """The state of a closed stream and the last frame that a worker took up."""

    state: StreamState
    last_frame_id: int
    expires: float


class ResumableStreams:
    """Closed streams by their id, the longest gone first. Not thread-safe: the caller holds a lock."""

    def __init__(self, keep_s: float) -> None:
        """``keep_s``: how long to keep a stream."""
        self._keep_s = keep_s
        self._streams: dict[str, ResumableStream] = {}

    def __len__(self) -> int:
        return len(self._streams)

    def put(self, stream_id: str, state: StreamState, last_frame_id: int) -> None:
        """Keep the state of a stream from now on."""
        self._streams.pop(stream_id, None)
        self._streams[stream_id] = ResumableStream(state, last_frame_id, time.monotonic() + self._keep_s)
        self._forget_old()

    def take(self, stream_id: str) -> ResumableStream | None:
        """Hand out and forget the stream of that id; None if there is none, or no longer."""
        self._forget_old()
        return self._streams.pop(stream_id, None)

    def _forget_old(self) -> None:
        now = time.monotonic()
        while self._streams:
            longest_gone = next(iter(self._streams))
            if len(self._streams) <= MAX_RESUMABLE and self._streams[longest_gone].expires > now:
                return
            del self._streams[longest_gone]
