"""One of several processes that serve the same port."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import os
import signal
from collections.abc import MutableSequence
from dataclasses import dataclass
from multiprocessing.connection import Connection

from ferserve.config import Config, EngineConfig
from ferserve.engine import Engine
from ferserve.errors import FerserveError
from ferserve.server.app import Server
from ferserve.server.loop import run_in_loop
from ferserve.server.run import serve_until_told
from ferserve.server.workers.placement import Placement

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


@dataclass(frozen=True)
class WorkerOrder:
    """What a worker is to do. ``health_address`` is its own, where the supervisor asks for its health."""

    index: int
    config: Config
    health_address: str
    open_streams: MutableSequence[int]
    log_level: int


def work(order: WorkerOrder, supervisor: Connection) -> None:
    """Serve until SIGTERM, or until the supervisor is gone. Runs in a fresh process.

    Says what it runs on when it serves, or sends the :class:`FerserveError` that kept it from serving.
    """
    # A terminal sends its Ctrl-C to everybody; the supervisor decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(level=order.log_level, format=LOG_FORMAT)
    try:
        engine_config = _share(order.config)
        if order.config.server.cpus == "split":
            _keep_to_share(order)
        with Engine(engine_config) as engine:
            run_in_loop(_serve(engine, order, supervisor), order.config.server.loop)
    except FerserveError as error:
        supervisor.send(error)


def _share(config: Config) -> EngineConfig:
    """The engine of one worker: an even share of the processors, unless the threads were chosen."""
    threads = config.engine.threads or max(1, len(os.sched_getaffinity(0)) // config.server.workers)
    engine = dataclasses.replace(config.engine, threads=threads)
    if threads == 1 and not engine.max_batch_size:  # a single thread would wait for nobody to fill its batch
        engine = dataclasses.replace(engine, max_batch_size=1)
    return engine


def _keep_to_share(order: WorkerOrder) -> None:
    """What the threads of a worker hand each other then stays in one core's cache, and waking one is no errand."""
    processors = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, processors[order.index :: order.config.server.workers] or processors)


def _let_models_finish() -> None:
    """The event loop waits for its turn on a processor, by a few ms at most, and does then what has come meanwhile.

    Otherwise it would break into a running model some ten times a crop, for a few µs each: sched(7), SCHED_BATCH.
    """
    with contextlib.suppress(OSError):  # not every system has it, and all works without
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


async def _serve(engine: Engine, order: WorkerOrder, supervisor: Connection) -> None:
    def on_ready(address: str) -> None:
        if order.config.server.cpus == "split":
            _let_models_finish()  # this thread alone: all others run by now
        supervisor.send(engine.runs_on)

    placement = Placement(order.index, order.open_streams)
    server = Server(engine, order.config.server, placement, health_address=order.health_address)
    loop = asyncio.get_running_loop()

    def on_orphaned() -> None:
        loop.remove_reader(supervisor.fileno())  # what has ended stays readable, and a second signal means at once
        os.kill(os.getpid(), signal.SIGTERM)

    loop.add_reader(supervisor.fileno(), on_orphaned)
    await serve_until_told(server, (signal.SIGTERM,), on_ready)
