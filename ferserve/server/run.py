"""The server as a process: engine, event loop, signals, the ready line."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Callable, Sequence

from ferserve.config import Config, ServerConfig
from ferserve.engine import Engine
from ferserve.server.app import Server
from ferserve.server.loop import run_in_loop

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run(config: Config) -> None:
    """Load the engine and :func:`serve`, or have several processes do so. Raises the engine's errors before that."""
    if config.server.workers > 1:
        from ferserve.server.workers.supervisor import supervise  # needs what one process does without

        supervise(config)
        return
    with Engine(config.engine) as engine:
        run_in_loop(serve(engine, config.server), config.server.loop)


async def serve(engine: Engine, config: ServerConfig) -> None:
    """Serve until SIGINT or SIGTERM; the first asks for a graceful stop, the second for one at once.

    Prints one line when clients may come. Raises :class:`ferserve.errors.ConfigError` where the address is not free.
    """

    def show(address: str) -> None:
        print(f"ferserve ready on {address} ({engine.runs_on})", flush=True)

    await serve_until_told(Server(engine, config), STOP_SIGNALS, show)


async def serve_until_told(
    server: Server, stop_signals: Sequence[signal.Signals], on_ready: Callable[[str], None]
) -> None:
    """Start ``server``, tell ``on_ready`` its address, and stop it gracefully on one signal, at once on the second."""
    graceful, at_once = asyncio.Event(), asyncio.Event()

    def on_signal() -> None:
        (at_once if graceful.is_set() else graceful).set()

    loop = asyncio.get_running_loop()
    for number in stop_signals:
        loop.add_signal_handler(number, on_signal)
    address = await server.start()
    # What is loaded by now stays: the collector need not walk through it again while frames wait.
    gc.collect()
    gc.freeze()
    on_ready(address)
    await graceful.wait()
    stopping = asyncio.ensure_future(server.stop())
    hurry = asyncio.ensure_future(at_once.wait())
    await asyncio.wait((stopping, hurry), return_when=asyncio.FIRST_COMPLETED)
    if not stopping.done():
        await server.stop(0)
    await stopping
    hurry.cancel()
