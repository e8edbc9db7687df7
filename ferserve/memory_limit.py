"""The memory that this process may use."""

from __future__ import annotations

from pathlib import Path

from ferserve.processors import cgroup_folders

_UNLIMITED = 2**60
"""Version 1 of cgroups writes a limit near 2^63 if there is none."""


def usable_memory_bytes(root: Path = Path("/")) -> int:
    """The machine's memory, or the smaller limit of a cgroup. ``root`` is the folder of ``proc`` and ``sys``."""
    limits = [limit for folder in cgroup_folders(root, "memory") if (limit := _limit(folder)) is not None]
    return min([_machine(root), *limits])


def _limit(folder: Path) -> int | None:
    for name in ("memory.max", "memory.limit_in_bytes"):
        try:
            limit = int((folder / name).read_text())
        except (OSError, ValueError):  # no such file, or "max"
            continue
        if limit < _UNLIMITED:
            return limit
    return None


def _machine(root: Path) -> int:
    for line in (root / "proc/meminfo").read_text().splitlines():
        name, _, size = line.partition(":")
        if name == "MemTotal":
            return int(size.split()[0]) * 1024
    return _UNLIMITED
