"""A task that runs beside the calls for as long as the server does."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod


class Background(ABC):
    """A :class:`ferserve.server.lifecycle.Startable` without an address."""

    _task: asyncio.Task[None] | None = None

    async def start(self) -> str:
        """Begin; there is no address."""
        self._task = asyncio.create_task(self._run())
        return ""

    async def stop(self, grace_s: float | None = None) -> None:
        """End at once."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    @abstractmethod
    async def _run(self) -> None:
        """What is done until it is cancelled."""
