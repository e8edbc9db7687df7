"""Everything that one process serves on one engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ferserve.config import Config, ServerConfig
from ferserve.engine import Engine
from ferserve.server.admin.servicer import AdminServicer, PeerServicer
from ferserve.server.admin.watch import ModelWatch
from ferserve.server.channelz import channelz_services
from ferserve.server.device_watch import DeviceWatch
from ferserve.server.emotion.servicer import EmotionServicer
from ferserve.server.grpc_options import with_message_limit
from ferserve.server.grpc_server import GrpcServer
from ferserve.server.health import HEALTH_NAME, Health, ProbeServer
from ferserve.server.inference.servicer import InferenceServicer
from ferserve.server.lifecycle import ServerGroup, Startable
from ferserve.server.loop_lag import LoopLag
from ferserve.server.memory import set_up_heaps
from ferserve.server.model_admin import ModelAdmin
from ferserve.server.peers import Peers
from ferserve.server.reflection import Reflection
from ferserve.server.services import Service
from ferserve.server.stall_watch import StallWatch
from ferserve.server.telemetry.page import Page
from ferserve.server.telemetry.servers import metrics_for, metrics_of_process
from ferserve.server.tracing import tracing_for

if TYPE_CHECKING:
    from ferserve.server.workers.placement import Placement


def open_engine(config: Config, page: Page | None = None) -> Engine:
    """The engine of a serving process, with what counts its outcomes; ``page`` is where a worker does so.

    Raises as :class:`Engine` does.
    """
    set_up_heaps()
    return Engine(config.engine, metrics_for(config.server, page))


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
        peers: Peers | None = None,
    ) -> None:
        """``beside`` are servers on ports of their own, such as a page; outcomes are counted by the engine's metrics,
        which :func:`open_engine` makes if there is a ``metrics_port``. ``placement``, ``supervisor_address``, where
        the supervisor asks for its health, and ``peers``, the other workers, are a worker's.
        """
        metrics = engine.metrics
        config = with_message_limit(config, engine.config.max_pixels)
        models = ModelAdmin(engine, peers)
        services: list[Service] = [
            EmotionServicer(engine, config, metrics, placement),
            InferenceServicer(engine, config, lambda: health.is_serving(), models),
        ]
        if config.admin:
            services += [AdminServicer(models), *channelz_services()]
        services.append(Reflection([*(service.name for service in services), HEALTH_NAME]))
        health = Health([service.name for service in services])
        is_worker = placement is not None
        tracing = tracing_for(config)
        worker = placement.index if placement else 0
        main = GrpcServer(services, config, health, metrics, shares_port=is_worker, worker=worker, tracing=tracing)
        for_peers = [PeerServicer(ModelAdmin(engine), peers)] if config.admin and peers else []
        probes = ProbeServer(health, config, supervisor_address, for_peers, shares_port=is_worker)
        stalls, devices = StallWatch(engine, health, config.stall_s, metrics), DeviceWatch(health)
        watches = [ModelWatch(engine, config.model_poll_s)] if config.model_poll_s else []
        lag = LoopLag(metrics, config.loop_lag_ms)
        scraped = metrics_of_process(engine, config, is_worker=is_worker)
        asked = [probes] if supervisor_address or config.health_port else []
        beside = [*asked, *([tracing] if tracing else []), *scraped, stalls, devices, lag, *watches, *beside]
        super().__init__(main, beside, config.grace_s)
