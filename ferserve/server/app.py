"""Everything that one process serves on one engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ferserve.config import ServerConfig
from ferserve.metrics import NO_METRICS, Metrics
from ferserve.server.emotion.servicer import EmotionServicer
from ferserve.server.grpc_options import with_message_limit
from ferserve.server.grpc_server import GrpcServer
from ferserve.server.health import Health, ProbeServer
from ferserve.server.lifecycle import ServerGroup
from ferserve.server.services import Service

if TYPE_CHECKING:
    from ferserve.engine import Engine
    from ferserve.server.workers.placement import Placement


class Server(ServerGroup):
    """The gRPC port with every protocol on it, and the health port beside it. Does not own its engine.

    Used within one event loop: ``await server.start()`` once, which returns the address, then ``await server.stop()``.
    """

    def __init__(
        self,
        engine: Engine,
        config: ServerConfig,
        *,
        metrics: Metrics = NO_METRICS,
        placement: Placement | None = None,
        supervisor_address: str = "",
    ) -> None:
        """``placement`` and ``supervisor_address``, where the supervisor asks for its health, are a worker's."""
        config = with_message_limit(config, engine.config.max_pixels)
        services: list[Service] = [EmotionServicer(engine, config, metrics, placement)]
        health = Health([service.name for service in services])
        is_worker = placement is not None
        main = GrpcServer(services, config, health, metrics, shares_port=is_worker)
        probes = ProbeServer(health, config, supervisor_address, shares_port=is_worker)
        super().__init__(main, [probes] if supervisor_address or config.health_port else [])
