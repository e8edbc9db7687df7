"""One of several processes that serve the same port."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import signal
from dataclasses import dataclass
from multiprocessing.connection import Connection

from ferserve.config import Config, EngineConfig
from ferserve.engine import Engine
from ferserve.errors import FerserveError
from ferserve.processors import usable_processors
from ferserve.server.app import Server, open_engine
from ferserve.server.exit_deadline import MARGIN_S, ExitDeadline, leaving_on_time
from ferserve.server.lifecycle import serve_until_signal
from ferserve.server.logs import log_to_stderr
from ferserve.server.loop import run_in_loop
from ferserve.server.peers import Peers
from ferserve.server.profiler import profiled
from ferserve.server.telemetry.page import Page
from ferserve.server.workers.placement import Placement
from ferserve.server.workers.shared_counts import SharedCounts


@dataclass(frozen=True)
class WorkerSettings:
    """Everything that a worker needs to know."""

    index: int
    config: Config
    health_address: str
    """Where the supervisor asks this worker for its health."""
    open_streams: SharedCounts
    """See :class:`Placement`."""
    peers: Peers
    """The other workers."""
    page: Page | None = None
    """Where it counts, if somebody scrapes."""


def run_worker(settings: WorkerSettings, supervisor: Connection) -> None:
    """Serve until SIGTERM, or until the supervisor is gone. Runs in a fresh process.

    Sends ``supervisor`` a description of the running engine once it serves, or the :class:`FerserveError` that kept
    it from serving.
    """
    # A terminal sends Ctrl-C to all processes; the supervisor decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server = settings.config.server
    log_to_stderr(server.log_level, server.log_format, access=server.access_log)
    try:
        config = dataclasses.replace(settings.config, engine=_share(settings.config))
        if settings.config.server.cpus == "split":
            _keep_to_share(settings)
        first_s = settings.config.server.grace_s + MARGIN_S
        with (
            leaving_on_time(first_s) as deadline,
            profiled(_profile_of(settings)),
            open_engine(config, settings.page) as engine,
        ):
            run_in_loop(_serve(engine, settings, supervisor, deadline), settings.config.server.loop)
    except FerserveError as error:
        supervisor.send(error)


def _share(config: Config) -> EngineConfig:
    """The engine of one worker: an even share of the processors, unless the number of threads is configured."""
    threads = config.engine.threads or max(1, usable_processors() // config.server.workers)
    engine = dataclasses.replace(config.engine, threads=threads)
    if threads == 1 and not engine.max_batch_size:  # no other thread could fill a batch
        engine = dataclasses.replace(engine, max_batch_size=1)
    return engine


def _profile_of(settings: WorkerSettings) -> str:
    """The file of this worker, such as ``profile-0.json``; empty if none is asked for."""
    start, suffix = os.path.splitext(settings.config.server.profile)
    return f"{start}-{settings.index}{suffix}" if start else ""


def _keep_to_share(settings: WorkerSettings) -> None:
    """Stay on this worker's processors, so that what its threads share stays in their caches."""
    processors = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, processors[settings.index :: settings.config.server.workers] or processors)


def _let_models_finish() -> None:
    """Let the event loop wait a few ms at most for its turn on a processor, then do all that has come meanwhile.

    It would otherwise interrupt a running model some ten times per crop, for a few µs each: sched(7), SCHED_BATCH.
    """
    with contextlib.suppress(OSError):  # not every system has it, and none needs it
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


async def _serve(engine: Engine, settings: WorkerSettings, supervisor: Connection, deadline: ExitDeadline) -> None:
    loop = asyncio.get_running_loop()
    has_endpoint = settings.config.server.worker_ports > 0
    placement = Placement(settings.index, settings.open_streams, has_endpoint=has_endpoint)

    def on_ready(address: str) -> None:
        placement.serve()
        if settings.config.server.cpus == "split":
            _let_models_finish()  # this thread alone: all others run by now
        supervisor.send(engine.runs_on)

    def on_orphaned() -> None:
        loop.remove_reader(supervisor.fileno())  # a closed pipe stays readable, and a second signal means at once
        os.kill(os.getpid(), signal.SIGTERM)

    loop.add_reader(supervisor.fileno(), on_orphaned)
    server = Server(
        engine,
        settings.config.server,
        placement=placement,
        supervisor_address=settings.health_address,
        peers=settings.peers,
    )
    await serve_until_signal(server, (signal.SIGTERM,), on_ready, deadline)
