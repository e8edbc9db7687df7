"""What serves the metrics of a process, or of several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ferserve.config import ServerConfig
from ferserve.errors import ConfigError
from ferserve.meters.gpu import find_meters
from ferserve.metrics import NO_METRICS, Metrics
from ferserve.server.telemetry.exporter import Exporter
from ferserve.server.telemetry.page import Page
from ferserve.server.telemetry.sampler import Sampler

if TYPE_CHECKING:
    from ferserve.engine import Engine
    from ferserve.server.lifecycle import Startable
    from ferserve.server.telemetry.http import MetricsServer


def metrics_for(config: ServerConfig, page: Page | None = None) -> Metrics:
    """What an engine must be given to be scraped; counts nothing without ``metrics_port``. ``page`` is a worker's."""
    return Exporter(page or Page()) if config.metrics_port else NO_METRICS


def metrics_of_process(engine: Engine, config: ServerConfig, *, is_worker: bool) -> list[Startable]:
    """The servers beside the main one; a worker has no port, since its supervisor reads its page.

    Raises :class:`ConfigError` if the engine counts elsewhere.
    """
    if not config.metrics_port:
        return []
    if not isinstance(engine.metrics, Exporter):
        raise ConfigError("server.metrics_port needs an engine that counts; make it with metrics_for(config)")
    sampler = Sampler(engine.metrics.page, engine.figures)
    if is_worker:
        return [sampler]
    return [sampler, _server([engine.metrics.page], 1, sampler, config, engine.runs_on)]


def metrics_of_workers(pages: Sequence[Page], config: ServerConfig) -> MetricsServer:
    """The server of a supervisor; ``pages`` are those of its workers, in their order."""
    own = Page()
    return _server([*pages, own], len(pages), Sampler(own), config)


def _server(
    pages: Sequence[Page], workers: int, sampler: Sampler, config: ServerConfig, runs_on: str = ""
) -> MetricsServer:
    from ferserve.server.telemetry.exposition import Exposition  # only here is prometheus_client needed
    from ferserve.server.telemetry.http import MetricsServer

    exposition = Exposition(pages, workers, sampler.sample, runs_on, find_meters())
    return MetricsServer(exposition, config.host, config.metrics_port)
