"""Lets the health of a server say that its workers make no progress."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from ferserve.metrics import Metrics
from ferserve.server.background import Background
from ferserve.server.health import Health

if TYPE_CHECKING:
    from ferserve.engine import Engine

logger = logging.getLogger(__name__)

_LOOKS = 10
"""How often per ``stall_s`` the engine is asked."""
_LONGEST_PAUSE_S = 1.0


class StallWatch(Background):
    """Asks the engine now and then."""

    def __init__(self, engine: Engine, health: Health, stall_s: float, metrics: Metrics) -> None:
        """``stall_s``: how long all worker threads may be busy with the same work; 0 for any time."""
        self._engine = engine
        self._health = health
        self._stall_s = stall_s
        self._metrics = metrics

    async def start(self) -> str:
        """Begin, unless any time will do."""
        return await super().start() if self._stall_s else ""

    async def _run(self) -> None:
        stalled = False
        while True:
            await asyncio.sleep(min(self._stall_s / _LOOKS, _LONGEST_PAUSE_S))
            busy_s = self._engine.stalled_s()
            if (busy_s >= self._stall_s) == stalled:
                continue
            stalled = not stalled
            self._health.set_stalled(stalled)
            self._metrics.workers_stalled(stalled)
            if stalled:
                logger.error("workers end no work for %.1f s; health says NOT_SERVING until one does", busy_s)
            else:
                logger.warning("the worker threads make progress again; health says SERVING")
