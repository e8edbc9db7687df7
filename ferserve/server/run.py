"""The server as a process: engine, event loop, signals, the ready line."""

from __future__ import annotations

import asyncio
import signal

from ferserve.config import Config
from ferserve.engine import Engine
from ferserve.server.app import Server

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run(config: Config) -> None:
    """Serve until SIGINT or SIGTERM; the first asks for a graceful stop, the second for one at once.

    Raises :class:`ferserve.errors.ConfigError` and the engine's errors before anything is served.
    """
    with Engine(config.engine) as engine:
        asyncio.run(_serve(engine, config))


async def _serve(engine: Engine, config: Config) -> None:
    loop = asyncio.get_running_loop()
    graceful, at_once = asyncio.Event(), asyncio.Event()

    def on_signal() -> None:
        (at_once if graceful.is_set() else graceful).set()

    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, on_signal)
    server = Server(engine, config.server)
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
