"""How many processors a process may use, by affinity and by the quotas of its cgroups."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ferserve.processors import usable_processors

AFFINITY = len(os.sched_getaffinity(0))


@pytest.fixture
def many_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)))


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def version_2(root: Path, own: str, *, mounted: str = "/", mount_point: str = "/sys/fs/cgroup") -> Path:
    mount = f"31 24 0:27 {mounted} {mount_point} rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
    other = "22 28 0:20 / /proc rw,nosuid - proc proc rw\n"
    return write(root, {"proc/self/mountinfo": other + mount, "proc/self/cgroup": f"0::{own}\n"})


def version_1(root: Path, own: str, *, mounted: str = "/") -> Path:
    mounts = (
        f"35 30 0:31 {mounted} /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
        f"36 30 0:32 {mounted} /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    )
    return write(root, {"proc/self/mountinfo": mounts, "proc/self/cgroup": f"5:memory:{own}\n4:cpu,cpuacct:{own}\n"})


@pytest.mark.usefixtures("many_processors")
@pytest.mark.parametrize(
    ("limit", "processors"),
    [("100000 100000", 1), ("150000 100000", 2), ("20000 100000", 1), ("800000 100000", 8), ("max 100000", 64)],
)
def test_the_quota_of_version_2_counts_rounded_up(tmp_path: Path, limit: str, processors: int) -> None:
    root = write(version_2(tmp_path, "/"), {"sys/fs/cgroup/cpu.max": f"{limit}\n"})
    assert usable_processors(root) == processors


@pytest.mark.usefixtures("many_processors")
@pytest.mark.parametrize(("quota", "processors"), [("400000", 4), ("-1", 64)])
def test_the_quota_of_version_1_counts(tmp_path: Path, quota: str, processors: int) -> None:
    folder = "sys/fs/cgroup/cpu,cpuacct"
    limits = {f"{folder}/cpu.cfs_quota_us": f"{quota}\n", f"{folder}/cpu.cfs_period_us": "100000\n"}
    # As in a container: the process sees its group's path on the host, although only its own group is mounted.
    root = write(version_1(tmp_path, "/docker/abc", mounted="/docker/abc"), limits)
    assert usable_processors(root) == processors


@pytest.mark.usefixtures("many_processors")
def test_the_least_quota_from_the_group_up_to_the_mount_counts(tmp_path: Path) -> None:
    limits = {"system.slice/cpu.max": "300000 100000", "system.slice/ferserve.service/cpu.max": "max 100000"}
    root = write(
        version_2(tmp_path, "/system.slice/ferserve.service"),
        {f"sys/fs/cgroup/{name}": text for name, text in limits.items()},
    )
    assert usable_processors(root) == 3


@pytest.mark.usefixtures("many_processors")
def test_a_group_elsewhere_than_the_mounted_one_falls_back_to_the_mount(tmp_path: Path) -> None:
    root = write(
        version_2(tmp_path, "/../../host/group", mounted="/docker/abc", mount_point="/mnt/groups"),
        {"mnt/groups/cpu.max": "200000 100000"},
    )
    assert usable_processors(root) == 2


def test_more_quota_than_affinity_changes_nothing(tmp_path: Path) -> None:
    root = write(version_2(tmp_path, "/"), {"sys/fs/cgroup/cpu.max": f"{(AFFINITY + 3) * 100_000} 100000"})
    assert usable_processors(root) == AFFINITY


@pytest.mark.parametrize("text", ["", "garbage", "1 0", "0 100000"])
def test_unreadable_quotas_count_as_none(tmp_path: Path, text: str) -> None:
    assert usable_processors(tmp_path) == AFFINITY
    root = write(version_2(tmp_path, "/"), {"sys/fs/cgroup/cpu.max": text})
    assert usable_processors(root) == AFFINITY
