"""The RPCs of ``ferserve.v1.AdminService``."""

from __future__ import annotations

from typing import Any

import grpc

from ferserve.server.calls import ActiveCalls
from ferserve.server.model_admin import ModelAdmin
from ferserve.server.peers import Peers
from ferserve.v1 import emotion_pb2 as pb
from ferserve.v1 import emotion_pb2_grpc
from ferserve.wire.models import model_to_proto


class AdminServicer(emotion_pb2_grpc.AdminServiceServicer):
    """Loads and unloads models. A :class:`ferserve.server.services.Service`."""

    name: str = pb.DESCRIPTOR.services_by_name["AdminService"].full_name
    admin_methods = frozenset(
        f"/{pb.DESCRIPTOR.services_by_name['AdminService'].full_name}/{method.name}"
        for method in pb.DESCRIPTOR.services_by_name["AdminService"].methods
    )
    """Full names of the methods that change what others get: all."""

    def __init__(self, models: ModelAdmin) -> None:
        self._models = models
        self._calls = ActiveCalls()

    def register(self, server: grpc.aio.Server) -> None:
        """See :meth:`ferserve.server.services.Service.register`."""
        emotion_pb2_grpc.add_AdminServiceServicer_to_server(self, server)  # type: ignore[no-untyped-call]

    async def drain(self, grace_s: float) -> None:
        """See :class:`ferserve.server.services.Service`."""
        await self._calls.drain(grace_s)

    async def LoadModel(self, request: pb.LoadModelRequest, context: Any) -> pb.LoadModelResponse:
        """Read a model's files again; what was served before answers until the new is warm."""
        self._calls.track()
        models = await self._models.load(request.name, context)
        return pb.LoadModelResponse(models=[model_to_proto(model) for model in models])

    async def UnloadModel(self, request: pb.UnloadModelRequest, context: Any) -> pb.UnloadModelResponse:
        """Take a model from the callers to come."""
        self._calls.track()
        await self._models.unload(request.name, context)
        return pb.UnloadModelResponse()


class PeerServicer(AdminServicer):
    """The same for other workers alone, on an address that probes share."""

    def __init__(self, models: ModelAdmin, peers: Peers) -> None:
        super().__init__(models)
        self._peers = peers

    async def LoadModel(self, request: pb.LoadModelRequest, context: Any) -> pb.LoadModelResponse:
        """See :class:`AdminServicer`."""
        await self._peers.require_peer(context)
        return await super().LoadModel(request, context)

    async def UnloadModel(self, request: pb.UnloadModelRequest, context: Any) -> pb.UnloadModelResponse:
        """See :class:`AdminServicer`."""
        await self._peers.require_peer(context)
        return await super().UnloadModel(request, context)
