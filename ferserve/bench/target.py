"""The server to be measured: one of our own for the time of a measurement, or one that runs already."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO

from ferserve.bench.process_stats import ProcessStats, listeners, process_stats
from ferserve.config import Config
from ferserve.errors import ConfigError
from ferserve.interrupts import blocked_interrupts

_COMMAND = (sys.executable, "-m", "ferserve", "serve")
_READY = re.compile(r"ferserve ready on (\S+)")
_STOP_S = 15.0


@dataclass(frozen=True)
class Target:
    """Address of a server, and its processes if they run on this machine and may be read."""

    address: str
    pids: tuple[int, ...]

    def stats_at(self, instant_s: float) -> ProcessStats | None:
        """What the server has used by ``instant_s`` of the monotonic clock; waits until then."""
        time.sleep(max(0.0, instant_s - time.monotonic()))
        return process_stats(*self.pids) if self.pids else None


@contextlib.contextmanager
def open_target(address: str, config: Config) -> Iterator[Target]:
    """The server at ``address``; if that is empty, a ``ferserve serve`` of ``config`` that ends with the context.

    Raises :class:`ConfigError` if the server does not start.
    """
    if address:
        yield Target(address, tuple(listeners(address)))
        return
    with tempfile.TemporaryFile("w+") as log:
        with blocked_interrupts():  # it is stopped by us
            process = subprocess.Popen(
                _COMMAND, env={**os.environ, **environment(config)}, stdout=subprocess.PIPE, stderr=log, text=True
            )
        try:
            yield Target(_await_ready(process, log), (process.pid,))
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.communicate(timeout=_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def environment(config: Config) -> Mapping[str, str]:
    """``config`` as the environment variables that say the same."""
    return {
        f"FERSERVE_{section.name}_{setting}".upper(): str(value)
        for section in dataclasses.fields(config)
        for setting, value in dataclasses.asdict(getattr(config, section.name)).items()
    }


def _await_ready(process: subprocess.Popen[str], log: IO[str]) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if found := _READY.match(line):
            return found[1]
    process.wait()
    log.seek(0)
    said = log.read().strip().splitlines()
    raise ConfigError(f"server must start, got exit code {process.returncode}: {said[-1] if said else 'no message'}")
