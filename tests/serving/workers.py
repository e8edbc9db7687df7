"""``ferserve serve --workers``, and its worker processes."""

from __future__ import annotations

import time
from pathlib import Path

import psutil

from tests.serving.process import ServerProcess, serve_command

WORKERS = 3


def workers_command(model_dir: Path, *more: str) -> list[str]:
    command = serve_command(model_dir)
    command[command.index("--threads") + 1] = "1"
    return [*command, "--workers", str(WORKERS), *more]


def workers_of(server: ServerProcess) -> list[psutil.Process]:
    """The worker processes, without the resource tracker of multiprocessing."""
    return [child for child in psutil.Process(server.process.pid).children() if is_worker(child)]


def is_worker(process: psutil.Process) -> bool:
    """False too for one that ended in the meantime, a zombie or gone."""
    try:
        return "spawn_main" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False


def gone(process: psutil.Process, within_s: float) -> bool:
    """True if ``process`` ended in time; a zombie has ended."""
    until = time.monotonic() + within_s
    while is_worker(process):
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True
