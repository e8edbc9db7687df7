"""Servers of one process: started and stopped together, by signals."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from ferserve.server.exit_deadline import ExitDeadline

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Startable(Protocol):
    """A server of any kind. Used within one event loop."""

    async def start(self) -> str:
        """Listen and serve; returns the address. Raises :class:`ferserve.errors.ConfigError`."""

    async def stop(self, grace_s: float | None = None) -> None:
        """Finish what is in flight and stop, after ``grace_s`` at the latest; None for the configured grace.

        May be called again while it runs, with a shorter grace.
        """


class ServerGroup:
    """A main server and the ones beside it, which start before it and stop after it, so that probes see it drain."""

    def __init__(self, main: Startable, beside: Sequence[Startable] = (), grace_s: float = 5.0) -> None:
        """``grace_s`` is for all of them together, one after the other."""
        self._main = main
        self._beside = beside
        self._grace_s = grace_s

    async def start(self) -> str:
        """Start all servers, or none; returns the address of the main one. Raises as they do."""
        async with contextlib.AsyncExitStack() as started:
            for server in self._beside:
                await server.start()
                started.push_async_callback(server.stop, 0)
            address = await self._main.start()
            started.pop_all()
        return address

    async def stop(self, grace_s: float | None = None) -> None:
        """Stop all servers; see :meth:`Startable.stop`."""
        grace_s = self._grace_s if grace_s is None else grace_s
        ends = time.monotonic() + grace_s
        await self._main.stop(grace_s)
        for server in reversed(self._beside):
            await server.stop(max(ends - time.monotonic(), 0))


async def serve_until_signal(
    server: Startable,
    stop_signals: Sequence[signal.Signals],
    on_ready: Callable[[str], None],
    deadline: ExitDeadline | None = None,
) -> None:
    """Start ``server``, call ``on_ready`` with its address, stop it gracefully on a signal, and at once on a second.

    With a ``deadline`` the whole process ends in time, even if ``server`` does not stop.
    """
    graceful, at_once = asyncio.Event(), asyncio.Event()

    def on_signal() -> None:
        (at_once if graceful.is_set() else graceful).set()

    loop = asyncio.get_running_loop()
    for number in stop_signals:
        loop.add_signal_handler(number, on_signal)
    if deadline is not None:
        deadline.watch(stop_signals)
    address = await server.start()
    _freeze_garbage()
    on_ready(address)
    await graceful.wait()
    if deadline is not None:
        deadline.explain_later()
    stopping = asyncio.ensure_future(server.stop())
    hurry = asyncio.ensure_future(at_once.wait())
    await asyncio.wait((stopping, hurry), return_when=asyncio.FIRST_COMPLETED)
    if not stopping.done():
        await server.stop(0)
    await stopping
    hurry.cancel()


def _freeze_garbage() -> None:
    """What is loaded by now stays: the collector need not walk through it while frames wait."""
    gc.collect()
    gc.freeze()
