"""CPU time and memory of a process and its children, read from /proc (Linux)."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from ferserve.errors import ConfigError

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


@dataclass(frozen=True)
class ProcessStats:
    """What a process tree has used: ``cpu_s`` since it began, children that ended included, ``rss_mb`` now.

    Pages that processes of the tree share are counted once for each of them.
    """

    cpu_s: float
    rss_mb: float


def process_stats(*pids: int) -> ProcessStats:
    """Of ``pids`` and their children; zero if they have ended."""
    cpu_s = rss_mb = 0.0
    for member in {member for pid in pids for member in tree(pid)}:
        cpu_s += _cpu_s(member)
        rss_mb += _rss_mb(member)
    return ProcessStats(cpu_s, rss_mb)


def tree(pid: int) -> list[int]:
    """``pid`` and everything that it started, and so on."""
    found = [pid]
    for member in found:  # grows while it is walked
        for children in _PROC.glob(f"{member}/task/*/children"):
            found.extend(int(child) for child in _read(children).split())
    return found


def listeners(target: str) -> list[int]:
    """The processes of this machine that listen on ``HOST:PORT`` or ``unix:PATH``."""
    inodes = _listening_unix(target[5:].removeprefix("//")) if target.startswith("unix:") else _listening_tcp(target)
    names = {f"socket:[{inode}]" for inode in inodes}
    pids = sorted(int(entry) for entry in os.listdir(_PROC) if entry.isdigit())
    return [pid for pid in pids if names.intersection(_open_files(_PROC / str(pid) / "fd"))]


def _open_files(folder: Path) -> set[str]:
    """Targets of the open descriptors; empty if the process belongs to another user or is gone."""
    found = set()
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            found.add(os.readlink(folder / name))
    return found


def _listening_tcp(target: str) -> set[str]:
    port = target.rpartition(":")[2]
    if not port.isdecimal():
        raise ConfigError(f"--target must be HOST:PORT or unix:PATH, got {target!r}")
    rows = [line.split() for name in ("tcp", "tcp6") for line in _read(_PROC / "net" / name).splitlines()[1:]]
    return {row[9] for row in rows if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == int(port)}


def _listening_unix(path: str) -> set[str]:
    rows = [line.split() for line in _read(_PROC / "net" / "unix").splitlines()[1:]]
    return {row[6] for row in rows if len(row) > 7 and row[7] == path}


def _cpu_s(pid: int) -> float:
    """User and system time, of children that were waited for too (proc(5): fields 14 to 17)."""
    fields = _read(_PROC / str(pid) / "stat").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) * _TICK_S if fields else 0.0


def _rss_mb(pid: int) -> float:
    fields = _read(_PROC / str(pid) / "statm").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6 if fields else 0.0


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
