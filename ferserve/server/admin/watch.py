"""Looks through the repository of models for changes."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from ferserve.errors import FerserveError
from ferserve.server.background import Background

if TYPE_CHECKING:
    from ferserve.engine import Engine

logger = logging.getLogger(__name__)

_SHORTEST_S = 0.1


class ModelWatch(Background):
    """Each worker watches for itself. A model that is being loaded when it stops is loaded to its end, for nobody."""

    def __init__(self, engine: Engine, poll_s: float) -> None:
        """``poll_s``: the pause between two looks."""
        self._engine = engine
        self._poll_s = poll_s

    async def _run(self) -> None:
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
