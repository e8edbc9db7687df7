"""How late the event loop is: whatever holds it up holds up every call."""

from __future__ import annotations

import asyncio
import logging
import time

from ferserve.metrics import Metrics
from ferserve.server.background import Background

logger = logging.getLogger(__name__)

_PERIOD_S = 0.2


class LoopLag(Background):
    """Measures the lag of the event loop it runs in."""

    def __init__(self, metrics: Metrics, limit_ms: float) -> None:
        """``limit_ms``: a longer lag is logged."""
        self._metrics = metrics
        self._limit_s = limit_ms / 1000

    async def _run(self) -> None:
        while True:
            due = time.monotonic() + _PERIOD_S
            await asyncio.sleep(_PERIOD_S)
            lag_s = max(time.monotonic() - due, 0.0)
            self._metrics.loop_lagged(lag_s)
            if lag_s > self._limit_s:
                logger.info("the event loop was held up for %.0f ms", lag_s * 1000)
