"""What administrators do with the models of a server, whatever door they come through."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from ferserve.server.logs import one_line, peer_name
from ferserve.v1 import emotion_pb2 as pb

if TYPE_CHECKING:
    from ferserve.engine import Engine
    from ferserve.server.peers import Peers
    from ferserve.types import ModelDescription

logger = logging.getLogger(__name__)


class ModelAdmin:
    """Loads and unloads models in this process, then in the other workers: what fails here changes nothing anywhere."""

    def __init__(self, engine: Engine, peers: Peers | None = None) -> None:
        """``peers`` are the other workers of the server."""
        self._engine = engine
        self._peers = peers

    async def load(self, name: str, context: Any) -> list[ModelDescription]:
        """See :meth:`ferserve.engine.Engine.load_model`; ``context`` is that of the call."""
        models = await asyncio.to_thread(self._engine.load_model, name)
        logger.info("loaded the model %s for %s", one_line(name), peer_name(context.peer()))
        if self._peers is not None:
            await self._peers.tell("LoadModel", pb.LoadModelRequest(name=name), context)
        return models

    async def unload(self, name: str, context: Any) -> None:
        """See :meth:`ferserve.engine.Engine.unload_model`; ``context`` is that of the call."""
        await asyncio.to_thread(self._engine.unload_model, name)
        logger.info("unloaded the model %s for %s", one_line(name), peer_name(context.peer()))
        if self._peers is not None:
            await self._peers.tell("UnloadModel", pb.UnloadModelRequest(name=name), context)
