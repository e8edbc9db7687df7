"""Several workers on one port: started, watched, started again, and stopped together."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import multiprocessing
import os
import secrets
import signal
import socket
from collections.abc import Iterator

from ferserve.config import Config
from ferserve.errors import FerserveError
from ferserve.server.address import address_taken, host_and_port
from ferserve.server.announcements import announce
from ferserve.server.exit_deadline import AT_ONCE_S, MARGIN_S, ExitDeadline, leaving_on_time
from ferserve.server.lifecycle import STOP_SIGNALS
from ferserve.server.peers import Peers
from ferserve.server.telemetry.page import Page
from ferserve.server.telemetry.servers import metrics_of_workers
from ferserve.server.workers.placement import GONE
from ferserve.server.workers.process import WorkerProcess
from ferserve.server.workers.shared_counts import SharedCounts
from ferserve.server.workers.worker import WorkerSettings

KILL_S = 0.15
"""Time that the supervisor has, after its workers, to kill those that hang and to see their end."""


def supervise(config: Config, reason: str = "") -> None:
    """Serve with ``config.server.workers`` processes until SIGINT or SIGTERM; a second signal stops at once.

    ``reason`` says why that many.

    Raises :class:`ferserve.errors.ConfigError` if the address is not free, and the engine's errors if no worker can
    start.
    """
    server = config.server
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(_reserved(server.host, server.port, "port"))
        if server.health_port:
            stack.enter_context(_reserved(server.host, server.health_port, "health_port"))
        for worker in range(server.workers if server.worker_ports else 0):
            stack.enter_context(_reserved(server.host, server.worker_ports + worker, "worker_ports"))
        server = dataclasses.replace(server, port=port)
        deadline = stack.enter_context(leaving_on_time(server.grace_s + MARGIN_S + KILL_S, 2 * AT_ONCE_S))
        asyncio.run(_Supervisor(dataclasses.replace(config, server=server), reason).run(deadline))


@contextlib.contextmanager
def _reserved(host: str, port: int, port_name: str) -> Iterator[int]:
    """Hold the port without listening on it, so that it stays ours while no worker runs; 0 takes any free port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe, socket.socket(family) as holder:
        try:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))  # fails if another process listens, even one that shares its port
            port = int(probe.getsockname()[1])
            probe.close()
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            holder.bind((host, port))
        except OSError:
            raise address_taken(host_and_port(host, port), port_name) from None
        yield port


class _Supervisor:
    """All workers of one port."""

    def __init__(self, config: Config, reason: str) -> None:
        self._reason = f"; {reason}" if reason else ""
        context = multiprocessing.get_context("spawn")
        count = config.server.workers
        open_streams = SharedCounts(count, GONE)
        # Abstract sockets, since a container may have no folder that can be written to.
        health = f"unix-abstract:ferserve-{os.getpid()}-{secrets.token_hex(8)}"
        self._address = host_and_port(config.server.host, config.server.port)
        pages = [Page() for _ in range(count)] if config.server.metrics_port else []
        self._metrics = metrics_of_workers(pages, config.server) if pages else None
        addresses, secret = [f"{health}-{index}" for index in range(count)], secrets.token_hex(16)
        self._workers = []
        for index, address in enumerate(addresses):
            peers = Peers([other for other in addresses if other != address], secret)
            page = pages[index] if pages else None
            settings = WorkerSettings(index, config, address, open_streams, peers, page)
            self._workers.append(WorkerProcess(context, settings))
        self._stopping = asyncio.Event()
        self._grace_s = config.server.grace_s

    async def run(self, deadline: ExitDeadline) -> None:
        """Serve until all workers have ended after a signal."""
        loop = asyncio.get_running_loop()
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, self._on_signal)
        deadline.watch(STOP_SIGNALS)
        if self._metrics is not None:
            await self._metrics.start()
        try:
            runs_on = await asyncio.gather(*(worker.start() for worker in self._workers))
        except FerserveError:
            for worker in self._workers:
                worker.kill()
            if self._stopping.is_set():  # the signal ended them
                return
            raise
        if self._metrics is not None:
            self._metrics.exposition.runs_on = f"{runs_on[0]} in each of {len(runs_on)} workers"
        announce(f"ferserve ready on {self._address} ({runs_on[0]} in each of {len(runs_on)} workers{self._reason})")
        await asyncio.gather(*(worker.watch(self._stopping) for worker in self._workers))
        if self._metrics is not None:
            await self._metrics.stop()
        for number in STOP_SIGNALS:  # a further signal, now that all have stopped, must not look like a crash
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)

    def _on_signal(self) -> None:
        """The first signal stops workers gracefully, the second at once: they count signals too.

        Those that hang are killed after the time in which each should have ended by itself.
        """
        within_s = AT_ONCE_S if self._stopping.is_set() else self._grace_s + MARGIN_S
        self._stopping.set()
        for worker in self._workers:
            worker.terminate()
            asyncio.get_running_loop().call_later(within_s, worker.kill)
