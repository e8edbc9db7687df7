"""A worker process as its supervisor sees it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ferserve.errors import FerserveError
from ferserve.interrupts import blocked_interrupts
from ferserve.server.workers.placement import GONE
from ferserve.server.workers.worker import WorkerSettings, run_worker

logger = logging.getLogger(__name__)

HEALTH_CHECKS = 4
"""Checks in a row, spread over ``server.worker_timeout_s``, that must fail before a worker counts as stuck. One would
not do: if the whole machine stood still for a while, the worker is not to blame."""
MIN_DELAY_S = 0.2
MAX_DELAY_S = 30.0
STEADY_S = 60.0
"""After serving this long, a worker that ends is started again with the shortest delay."""


class WorkerProcess:
    """One place among the workers, filled by one process after the other."""

    def __init__(self, context: Any, settings: WorkerSettings) -> None:
        """``context`` is multiprocessing's."""
        self._context = context
        self._settings = settings
        self._name = f"worker {settings.index}"
        self._process: Any = None
        self._pipe: Any = None

    async def start(self) -> str:
        """Start a process and wait until it serves; returns what its engine runs on.

        Raises the :class:`FerserveError` that kept it from serving.
        """
        self._pipe, theirs = self._context.Pipe()
        self._process = self._context.Process(target=run_worker, args=(self._settings, theirs), name=self._name)
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
        """Send SIGTERM, and wake the process up if it was stopped: it would not hear of it."""
        self._signal(signal.SIGTERM)
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """Send SIGKILL."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        if self._process is not None and self._process.is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, number)

    async def watch(self, stopping: asyncio.Event) -> None:
        """Start the worker again whenever it ends or no longer answers, until ``stopping``; then wait for its end."""
        delay_s = MIN_DELAY_S
        while True:
            started = time.monotonic()
            await self._until_ended(stopping)
            self._settings.open_streams[self._settings.index] = GONE
            if self._settings.page is not None:
                self._settings.page.clear_gauges()
            if stopping.is_set():
                self._tell_last_words()
                return
            delay_s = MIN_DELAY_S if time.monotonic() - started > STEADY_S else min(2 * delay_s, MAX_DELAY_S)
            logger.error("%s ended with %s; starting it again in %.1f s", self._name, self._process.exitcode, delay_s)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(stopping.wait(), delay_s)
            if stopping.is_set():
                return
            try:
                await self.start()
            except FerserveError as error:
                logger.error("%s could not be started again: %s", self._name, error)

    def _tell_last_words(self) -> None:
        """Log the error of a worker that ended as it was told, but with a loss."""
        with contextlib.suppress(EOFError, OSError):
            if self._pipe.poll() and isinstance(error := self._pipe.recv(), FerserveError):
                logger.error("%s: %s", self._name, error)

    async def _until_ended(self, stopping: asyncio.Event) -> None:
        """Wait for the end of the process; kill it if it fails its health checks."""
        ended = asyncio.ensure_future(_readable(self._process.sentinel))
        failures, pause_s = 0, self._settings.config.server.worker_timeout_s / HEALTH_CHECKS
        async with grpc.aio.insecure_channel(self._settings.health_address) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            while not ended.done():
                await asyncio.wait((ended,), timeout=pause_s)
                if ended.done() or stopping.is_set():
                    continue
                failures = 0 if await _healthy(stub, pause_s) else failures + 1
                if failures == HEALTH_CHECKS:
                    logger.error("%s does not answer or makes no progress, and is killed", self._name)
                    self.kill()
        self._process.join()


async def _readable(descriptor: int) -> None:
    """Wait until there is something to read; for the sentinel of a process, until the process has ended."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)


async def _healthy(stub: Any, timeout_s: float) -> bool:
    try:
        answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=timeout_s)
    except grpc.aio.AioRpcError:
        return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
