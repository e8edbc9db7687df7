"""The server as a process: engine, event loop, signals, the ready line."""

from __future__ import annotations

import asyncio
import signal

from ferserve.config import Config, ServerConfig
from ferserve.engine import Engine
from ferserve.server.app import Server

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run(config: Config) -> None:
    """Load the engine and :func:`serve`. Raises the engine's errors before anything is served."""
    with Engine(config.engine) as engine:
        asyncio.run(serve(engine, config.server))


async def serve(engine: Engine, config: ServerConfig) -> None:
    """Serve until SIGINT or SIGTERM; the first asks for a graceful stop, the second for one at once.

    Prints one line when clients may come. Raises :class:`ferserve.errors.ConfigError` where the address is not free.
    """
    graceful, at_once = asyncio.Event(), asyncio.Event()

    def on_signal() -> None:
        (at_once if graceful.is_set() else graceful).set()

    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, on_signal)
    server = Server(engine, config)
    address = await server.start()
    print(f"ferserve ready on {address} ({engine.runs_on})", flush=True)
    await graceful.wait()
    stopping = asyncio.ensure_future(server.stop())
    hurry = asyncio.ensure_future(at_once.wait())
    await asyncio.wait((stopping, hurry), return_when=asyncio.FIRST_COMPLETED)
    if not stopping.done():
        await server.stop(0)
    await stopping
    hurry.cancel()
