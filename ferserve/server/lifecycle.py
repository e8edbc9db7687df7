"""Servers of one process: started and stopped together, by signals."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
from collections.abc import Callable, Sequence
from typing import Protocol

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

    def __init__(self, main: Startable, beside: Sequence[Startable] = ()) -> None:
        self._main = main
        self._beside = beside

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
        for server in (self._main, *reversed(self._beside)):
            await server.stop(grace_s)


async def serve_until_signal(
    server: Startable, stop_signals: Sequence[signal.Signals], on_ready: Callable[[str], None]
) -> None:
    """Start ``server``, call ``on_ready`` with its address, stop it gracefully on a signal, and at once on a second."""
    graceful, at_once = asyncio.Event(), asyncio.Event()

    def on_signal() -> None:
        (at_once if graceful.is_set() else graceful).set()

    loop = asyncio.get_running_loop()
    for number in stop_signals:
        loop.add_signal_handler(number, on_signal)
    address = await server.start()
    _freeze_garbage()
    on_ready(address)
    await graceful.wait()
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
