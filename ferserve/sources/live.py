"""Live sources: they have no end, so one that stops is opened again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator

from ferserve.errors import ConfigError, SourceLostError
from ferserve.types import Frame, FrameResult

RECONNECT_S = 30.0
"""How long a live source may be away."""

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 5.0

log = logging.getLogger("ferserve.sources")

Pulled = Frame | FrameResult


def reconnecting(
    first: Iterator[Pulled], reopen: Callable[[], Iterator[Pulled]], name: str, reconnect_s: float = RECONNECT_S
) -> Iterator[Pulled]:
    """The frames of ``first``, then those of ``reopen()`` each time they stop.

    Says so in the log. Raises :class:`SourceLostError` if no frame comes within ``reconnect_s``.
    """
    frames: Iterator[Pulled] | None = first
    lost_at, delay_s, reason = time.monotonic(), FIRST_DELAY_S, "it ended"
    while True:
        try:
            frames = frames or reopen()
            for frame in frames:
                yield frame
                lost_at, delay_s = time.monotonic(), FIRST_DELAY_S
            reason = "it ended"
        except (SourceLostError, ConfigError) as error:
            reason = str(error)
        frames = None
        if time.monotonic() + delay_s - lost_at > reconnect_s:
            raise SourceLostError(
                f"live source must come back within {reconnect_s:g} s, got none from {name}: {reason}; check it and "
                "its connection"
            )
        log.warning("%s stopped (%s); opening it again in %g s", name, reason, delay_s)
        time.sleep(delay_s)
        delay_s = min(2 * delay_s, LONGEST_DELAY_S)
