"""A camera or a URL, and what to do if it stops."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

from ferserve.errors import ConfigError
from ferserve.sources.status import OnState


@dataclass(frozen=True)
class LiveSource:
    """A camera's index, its path or a URL for ``stream``, with choices that count if it is live.

    Raises :class:`ConfigError` if ``reconnect_s`` is no time.

    Examples:
        >>> camera = ferserve.LiveSource("rtsp://camera.local/stream", reconnect_s=60, on_state=print)
        >>> for result in client.stream(camera):
        ...     print(result)
    """

    source: int | str | os.PathLike[str]
    reconnect_s: float = math.inf
    """How long it may be away before the stream ends with :class:`SourceLostError`, s; 0 for not at all."""
    on_state: OnState | None = None
    """Called with each new :class:`SourceStatus`, in a thread of the source, in place of a line in the log."""

    def __post_init__(self) -> None:
        if not self.reconnect_s >= 0:
            raise ConfigError(f"reconnect_s must be at least 0 s, got {self.reconnect_s}")
