"""The server as a process."""

from __future__ import annotations

from collections.abc import Sequence

from ferserve.config import Config, ServerConfig
from ferserve.engine import Engine
from ferserve.server.app import Server, open_engine
from ferserve.server.lifecycle import STOP_SIGNALS, Startable, serve_until_signal
from ferserve.server.loop import run_in_loop


def run(config: Config) -> None:
    """Serve until SIGINT or SIGTERM, in this process or in several workers; a second signal stops at once.

    Prints one line when clients can connect. Raises :class:`ferserve.errors.ConfigError` if the address is not free,
    and the errors of :class:`Engine`.
    """
    if config.server.workers > 1:
        from ferserve.server.workers.supervisor import supervise  # one process does not need multiprocessing

        supervise(config)
        return
    with open_engine(config.engine) as engine:
        run_in_loop(serve(engine, config.server), config.server.loop)


async def serve(engine: Engine, config: ServerConfig, beside: Sequence[Startable] = ()) -> None:
    """Serve ``engine`` in this process, with servers ``beside`` the gRPC port; see :func:`run`."""

    def show(address: str) -> None:
        print(f"ferserve ready on {address} ({engine.runs_on})", flush=True)

    await serve_until_signal(Server(engine, config, beside=beside), STOP_SIGNALS, show)
