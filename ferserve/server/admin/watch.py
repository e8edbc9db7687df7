"""Looks through the repository of models for changes."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from ferserve.errors import FerserveError

if TYPE_CHECKING:
    from ferserve.engine import Engine

logger = logging.getLogger(__name__)

_SHORTEST_S = 0.1


class ModelWatch:
    """A :class:`ferserve.server.lifecycle.Startable`; each worker watches for itself."""

    def __init__(self, engine: Engine, poll_s: float) -> None:
        """``poll_s``: the pause between two looks."""
        self._engine = engine
        self._poll_s = poll_s
        self._task: asyncio.Future[None] | None = None

    async def start(self) -> str:
        """Begin; there is no address."""
        self._task = asyncio.ensure_future(self._watch())
        return ""

    async def stop(self, grace_s: float | None = None) -> None:
        """End; a model that is being loaded is loaded to its end, for nobody."""
        if self._task is not None:
            self._task.cancel()

    async def _watch(self) -> None:
        told = ""
        while True:
            await asyncio.sleep(max(self._poll_s, _SHORTEST_S))
            try:
                await asyncio.to_thread(self._engine.refresh_models)
                told = ""
            except FerserveError as error:
                if str(error) != told:  # once, not at every look
                    logger.warning("cannot look for new models: %s; what is loaded goes on", error)
                told = str(error)
            except Exception:
                logger.exception("cannot look for new models")
