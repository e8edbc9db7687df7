"""The number of processors that this process may keep busy."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path


def usable_processors(root: Path = Path("/")) -> int:
    """Processors of the affinity, or fewer if a cgroup has a smaller CPU quota; at least 1.

    A container with a quota (``docker run --cpus 2``) keeps the affinity of its whole host. More threads than the quota
    allows would be throttled together, in the middle of a frame. Part of a processor counts as one. ``root`` is the
    folder of ``proc`` and ``sys``.
    """
    quotas = [quota for folder in cgroup_folders(root, "cpu") if (quota := _quota(folder)) is not None]
    return min([len(os.sched_getaffinity(0)), *(math.ceil(quota) for quota in quotas)])


def cgroup_folders(root: Path, controller: str) -> Iterator[Path]:
    """The folders of this process's cgroups that ``controller`` may limit, from the innermost to the mounted one."""
    paths = dict(_cgroup_paths(root))
    for line in _lines(root / "proc/self/mountinfo"):
        fields, _, rest = line.partition(" - ")
        mounted, mount_point = fields.split()[3:5]
        kind, _, options = (rest.split() + [""] * 3)[:3]
        if kind == "cgroup2":
            path = paths.get("")
        elif kind == "cgroup" and controller in options.split(","):
            path = paths.get(controller)
        else:
            continue
        if path is not None:
            yield from _upwards(root / mount_point.lstrip("/"), mounted, path)


def _cgroup_paths(root: Path) -> Iterator[tuple[str, str]]:
    """The path of this process's group by controller; the controller of version 2 is empty."""
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            yield controller, path


def _upwards(mount_point: Path, mounted: str, path: str) -> Iterator[Path]:
    """From the folder of the group ``path`` up to ``mount_point``, where the group ``mounted`` is."""
    parts = Path(path).relative_to(mounted).parts if Path(path).is_relative_to(mounted) else ()
    folder = mount_point.joinpath(*(part for part in parts if part not in ("/", "..")))
    yield folder
    while folder != mount_point:
        folder = folder.parent
        yield folder


def _quota(folder: Path) -> float | None:
    """The quota in processors; None if the group has none, or the kernel does not say."""
    limit = " ".join(_lines(folder / "cpu.max")).split()
    if not limit:
        limit = [*_lines(folder / "cpu.cfs_quota_us"), *_lines(folder / "cpu.cfs_period_us")]
    try:
        quota_us, period_us = map(int, limit)
    except ValueError:  # "max", or nothing to read
        return None
    return quota_us / period_us if quota_us > 0 and period_us > 0 else None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(errors="replace").splitlines()
    except OSError:
        return []
