"""The server as a process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from ferserve.config import Config, ServerConfig
from ferserve.engine import Engine
from ferserve.server.announcements import announce, warn_of_plain_text
from ferserve.server.app import Server, open_engine
from ferserve.server.descriptors import require_open_files
from ferserve.server.exit_deadline import MARGIN_S, ExitDeadline, leaving_on_time
from ferserve.server.lifecycle import STOP_SIGNALS, Startable, serve_until_signal
from ferserve.server.loop import run_in_loop
from ferserve.server.profiler import profiled
from ferserve.server.sizing import sized

MakeBeside: TypeAlias = Callable[[Engine, ServerConfig], Sequence[Startable]]
"""Makes servers on ports of their own, which ask the same engine."""


def run(config: Config, beside: MakeBeside | None = None) -> None:
    """Serve until SIGINT or SIGTERM, in this process or in several workers; a second signal stops at once.

    What ``beside`` makes is served in this process too; workers have none.

    Prints one line when clients can connect. Raises :class:`ferserve.errors.ConfigError` if the address is not free or
    the process may open too few files, :class:`ferserve.errors.FerserveError` if a profile cannot be written, and the
    errors of :class:`Engine`.
    """
    config, reason = sized(config)
    require_open_files(config.server.workers)
    warn_of_plain_text(config.server)
    if config.server.workers > 1:
        from ferserve.server.workers.supervisor import supervise  # one process does not need multiprocessing

        supervise(config, reason)
        return
    with (
        leaving_on_time(config.server.grace_s + MARGIN_S) as deadline,
        profiled(config.server.profile),
        open_engine(config) as engine,
    ):
        others = beside(engine, config.server) if beside else ()
        run_in_loop(serve(engine, config.server, others, deadline, reason), config.server.loop)


async def serve(
    engine: Engine,
    config: ServerConfig,
    beside: Sequence[Startable] = (),
    deadline: ExitDeadline | None = None,
    reason: str = "",
) -> None:
    """Serve ``engine`` in this process, with servers ``beside`` the gRPC port; see :func:`run`.

    With a ``deadline`` the process ends in time after a signal, even if a worker never does. ``reason`` says why it is
    one process.
    """

    def show(address: str) -> None:
        announce(f"ferserve ready on {address} ({engine.runs_on}{f'; {reason}' if reason else ''})")

    await serve_until_signal(Server(engine, config, beside=beside), STOP_SIGNALS, show, deadline)
