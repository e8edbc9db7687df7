"""Lets the health of a server say that a device which runs models is gone."""

from __future__ import annotations

import asyncio

from ferserve.runtime.reopening import lost_devices
from ferserve.server.background import Background
from ferserve.server.health import Health

_PAUSE_S = 0.25


class DeviceWatch(Background):
    """Looks now and then. A model that is loaded again, on a device that works, ends the trouble."""

    def __init__(self, health: Health) -> None:
        self._health = health

    async def _run(self) -> None:
        lost = False
        while True:
            await asyncio.sleep(_PAUSE_S)
            if bool(lost_devices()) != lost:
                lost = not lost
                self._health.set_device_lost(lost)
