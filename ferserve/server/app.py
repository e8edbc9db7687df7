"""Everything that one process serves on one engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ferserve.config import EngineConfig, ServerConfig
from ferserve.engine import Engine
from ferserve.metrics import NO_METRICS
from ferserve.server.channelz import channelz_services
from ferserve.server.emotion.servicer import EmotionServicer
from ferserve.server.grpc_options import with_message_limit
from ferserve.server.grpc_server import GrpcServer
from ferserve.server.health import HEALTH_NAME, Health, ProbeServer
from ferserve.server.lifecycle import ServerGroup, Startable
from ferserve.server.loop_lag import LoopLag
from ferserve.server.reflection import Reflection
from ferserve.server.services import Service
from ferserve.server.stall_watch import StallWatch

if TYPE_CHECKING:
    from ferserve.server.workers.placement import Placement


def open_engine(config: EngineConfig) -> Engine:
    """The engine of a serving process, with what counts its outcomes. Raises as :class:`Engine` does."""
    return Engine(config, NO_METRICS)


class Server(ServerGroup):
    """The gRPC port with every protocol on it, and other ports beside it. Does not own its engine.

    Used within one event loop: ``await server.start()`` once, which returns the address, then ``await server.stop()``.
    """

    def __init__(
        self,
        engine: Engine,
        config: ServerConfig,
        *,
        beside: Sequence[Startable] = (),
        placement: Placement | None = None,
        supervisor_address: str = "",
    ) -> None:
        """``beside`` are servers on ports of their own, such as a page or an exporter; outcomes are counted by the
        engine's metrics. ``placement`` and ``supervisor_address``, where the supervisor asks for its health, are a
        worker's.
        """
        metrics = engine.metrics
        config = with_message_limit(config, engine.config.max_pixels)
        services: list[Service] = [EmotionServicer(engine, config, metrics, placement)]
        if config.admin:
            services += channelz_services()
        services.append(Reflection([*(service.name for service in services), HEALTH_NAME]))
        health = Health([service.name for service in services])
        is_worker = placement is not None
        main = GrpcServer(services, config, health, metrics, shares_port=is_worker)
        probes = ProbeServer(health, config, supervisor_address, shares_port=is_worker)
        stalls = StallWatch(engine, health, config.stall_s, metrics)
        lag = LoopLag(metrics, config.loop_lag_ms)
        beside = [*([probes] if supervisor_address or config.health_port else []), stalls, lag, *beside]
        super().__init__(main, beside, config.grace_s)
