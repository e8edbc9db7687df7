"""Several workers on one port: started, watched, started again, and stopped together."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import multiprocessing
import os
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ferserve.config import Config
from ferserve.errors import FerserveError
from ferserve.interrupts import blocked_interrupts
from ferserve.server.address import address_taken, host_and_port
from ferserve.server.workers.placement import GONE
from ferserve.server.workers.worker import WorkerOrder, work

logger = logging.getLogger(__name__)

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
HEALTH_EVERY_S = 2.0
HEALTH_TIMEOUT_S = 5.0
HEALTH_FAILURES = 3
"""Answers in a row that must fail before a worker counts as stuck."""
FIRST_DELAY_S = 0.2
LONGEST_DELAY_S = 30.0
STEADY_S = 60.0
"""A worker that served for so long is started again without delay."""


def supervise(config: Config) -> None:
    """Serve with ``config.server.workers`` processes until SIGINT or SIGTERM; a second signal stops at once.

    Raises :class:`ferserve.errors.ConfigError` where the address is not free, and the engine's errors where no worker
    can start.
    """
    server = config.server
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(_reserved(server.host, server.port, "port"))
        if server.health_port:
            stack.enter_context(_reserved(server.host, server.health_port, "health_port"))
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ferserve-"))
        server = dataclasses.replace(server, port=port)
        asyncio.run(_Supervisor(dataclasses.replace(config, server=server), folder).run())


@contextlib.contextmanager
def _reserved(host: str, port: int, port_name: str) -> Iterator[int]:
    """Hold the port without listening on it, so that it is ours even while no worker runs; 0 for any free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe, socket.socket(family) as holder:
        try:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))  # fails where another listens, even one that shares its port
            port = int(probe.getsockname()[1])
            probe.close()
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            holder.bind((host, port))
        except OSError:
            raise address_taken(host_and_port(host, port), port_name) from None
        yield port


class _Supervisor:
    def __init__(self, config: Config, folder: str) -> None:
        context = multiprocessing.get_context("spawn")
        count = config.server.workers
        counts: Any = context.RawArray("i", [GONE] * count)
        self._config = config
        self._workers = [_Watched(context, config, index, counts, folder) for index in range(count)]
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, self._on_signal)
        try:
            runs_on = await asyncio.gather(*(worker.start() for worker in self._workers))
        except FerserveError:
            for worker in self._workers:
                worker.kill()
            if self._stopping.is_set():  # it was the signal that ended them
                return
            raise
        address = host_and_port(self._config.server.host, self._config.server.port)
        print(f"ferserve ready on {address} ({runs_on[0]} in each of {len(runs_on)} workers)", flush=True)
        await asyncio.gather(*(worker.watch(self._stopping) for worker in self._workers))
        for number in STOP_SIGNALS:  # one more, now that all have stopped, shall not look like a crash
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)

    def _on_signal(self) -> None:
        """The first asks workers to stop gracefully, the second at once: they count as we do."""
        self._stopping.set()
        for worker in self._workers:
            worker.terminate()


class _Watched:
    """One worker process after the other in the same place."""

    def __init__(self, context: Any, config: Config, index: int, counts: Any, folder: str) -> None:
        self._context = context
        self._counts = counts
        self._order = WorkerOrder(
            index, config, f"unix:{folder}/worker-{index}", counts, logging.getLogger().getEffectiveLevel()
        )
        self._process: Any = None
        self._pipe: Any = None

    async def start(self) -> str:
        """Start a process; returns what it runs on when it serves, raises the :class:`FerserveError` that it sends."""
        self._pipe, theirs = self._context.Pipe()
        self._process = self._context.Process(target=work, args=(self._order, theirs), name=self._name)
        with blocked_interrupts():
            self._process.start()
        theirs.close()
        await _readable(self._pipe.fileno())
        try:
            answer = self._pipe.recv()
        except (EOFError, OSError):
            raise FerserveError(f"{self._name} must start, got one that died; see its message above") from None
        if isinstance(answer, FerserveError):
            raise answer
        return str(answer)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the process at once."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        if self._process is not None and self._process.is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, number)

    @property
    def _name(self) -> str:
        return f"worker {self._order.index}"

    async def watch(self, stopping: asyncio.Event) -> None:
        """Start the worker again whenever it ends or no longer answers, until ``stopping``; then await its end."""
        delay = FIRST_DELAY_S
        while True:
            started = time.monotonic()
            await self._until_ended(stopping)
            self._counts[self._order.index] = GONE
            if stopping.is_set():
                return
            delay = FIRST_DELAY_S if time.monotonic() - started > STEADY_S else min(2 * delay, LONGEST_DELAY_S)
            logger.error("%s ended with %s; starting it again in %.1f s", self._name, self._process.exitcode, delay)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(stopping.wait(), delay)
            if stopping.is_set():
                return
            try:
                await self.start()
            except FerserveError as error:
                logger.error("%s could not be started again: %s", self._name, error)

    async def _until_ended(self, stopping: asyncio.Event) -> None:
        ended = asyncio.ensure_future(_readable(self._process.sentinel))
        failures = 0
        async with grpc.aio.insecure_channel(self._order.health_address) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            while not ended.done():
                await asyncio.wait((ended,), timeout=HEALTH_EVERY_S)
                if ended.done() or stopping.is_set():
                    continue
                failures = 0 if await _healthy(stub) else failures + 1
                if failures == HEALTH_FAILURES:
                    logger.error("%s does not answer and is ended", self._name)
                    self.kill()
        self._process.join()


async def _readable(descriptor: int) -> None:
    """Wait until there is something to read; of a process's sentinel, until it has ended."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)


async def _healthy(stub: Any) -> bool:
    try:
        answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=HEALTH_TIMEOUT_S)
    except grpc.aio.AioRpcError:
        return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
