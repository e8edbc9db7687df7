"""The standard channelz service, for administrators: the connections and calls that gRPC knows of in this process."""

from __future__ import annotations

import logging

import grpc

from ferserve.server.services import Service

logger = logging.getLogger(__name__)


def channelz_services() -> list[Service]:
    """The service, if its package is installed; a warning otherwise."""
    try:
        from grpc_channelz.v1 import channelz_pb2
    except ImportError:
        logger.warning("server.admin serves no channelz: it needs grpcio-channelz; `pip install ferserve[admin]`")
        return []
    return [Channelz(channelz_pb2.DESCRIPTOR.services_by_name["Channelz"].full_name)]


class Channelz:
    """Whatever gRPC counts. A :class:`ferserve.server.services.Service`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.admin_methods = frozenset((f"/{name}/",))

    def register(self, server: grpc.aio.Server) -> None:
        """See :meth:`ferserve.server.services.Service.register`."""
        from grpc_channelz.v1.channelz import add_channelz_servicer

        add_channelz_servicer(server)

    async def drain(self, grace_s: float) -> None:
        """Every call is over at once. See :class:`ferserve.server.services.Service`."""
