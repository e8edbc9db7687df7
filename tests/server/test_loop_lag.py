"""The lag of the event loop is measured, counted and logged."""

from __future__ import annotations

import asyncio
import logging
import time

import pytest

from ferserve.server.loop_lag import LoopLag
from tests.counting import Counting


async def test_a_loop_that_is_held_up_is_noticed(caplog: pytest.LogCaptureFixture) -> None:
    counting = Counting()
    lag = LoopLag(counting, limit_ms=50)
    await lag.start()
    await asyncio.sleep(0)  # the first measurement begins
    with caplog.at_level(logging.INFO):
        time.sleep(0.4)  # noqa: ASYNC251  the fault
        await asyncio.sleep(0.01)  # the measurement was due long ago
    await lag.stop()
    assert counting.lags_s[0] >= 0.15
    assert "the event loop was held up for" in caplog.text
