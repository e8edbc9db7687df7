"""The number of processes that a server chooses, and why."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from ferserve.config import Config, EngineConfig, ServerConfig
from ferserve.memory_limit import usable_memory_bytes
from ferserve.server import sizing
from ferserve.server.sizing import sized
from tests.serving.process import ServerProcess, serve_command

GIB = 2**30


def chosen(patch: pytest.MonkeyPatch, processors: int, memory: int = 64 * GIB, **settings: Any) -> tuple[int, str]:
    patch.setattr(sizing, "usable_processors", lambda: processors)
    patch.setattr(sizing, "usable_memory_bytes", lambda: memory)
    engine = EngineConfig(device="cuda") if settings.pop("gpu", False) else EngineConfig()
    config, reason = sized(Config(engine, ServerConfig(**settings)))
    return config.server.workers, reason


@pytest.mark.parametrize(
    ("processors", "workers", "reason"),
    [
        (1, 1, "one process for 1 processor"),
        (2, 1, "one process for 2 processors"),
        (3, 1, "one process for 3 processors"),
        (4, 2, "one worker per 2 of 4 processors"),
        (64, 32, "one worker per 2 of 64 processors"),
    ],
)
def test_processors_decide(monkeypatch: pytest.MonkeyPatch, processors: int, workers: int, reason: str) -> None:
    assert chosen(monkeypatch, processors) == (workers, reason)


def test_memory_and_what_cannot_be_shared_decide_before(monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen(monkeypatch, 16, GIB) == (2, "as many as fit into 1024 MiB of memory")
    assert chosen(monkeypatch, 16, GIB // 8)[0] == 1
    assert chosen(monkeypatch, 16, uds="/run/x") == (1, "one process, since a Unix socket cannot be shared")
    assert chosen(monkeypatch, 16, web_port=1) == (1, "one process, since the page needs it")
    assert chosen(monkeypatch, 16, gpu=True) == (1, "one process, whose batches fill the GPU")
    assert chosen(monkeypatch, 16, workers=3) == (3, "")


def test_a_gpu_build_of_onnx_runtime_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "distribution", lambda name: name)
    assert chosen(monkeypatch, 16) == (1, "one process, whose batches fill the GPU")


@pytest.mark.parametrize(
    ("kind", "options", "name", "limit", "expected"),
    [
        ("cgroup2", "rw", "memory.max", "1073741824", GIB),
        ("cgroup2", "rw", "memory.max", "max", 8 * GIB),
        ("cgroup", "rw,memory", "memory.limit_in_bytes", "536870912", GIB // 2),
        ("cgroup", "rw,memory", "memory.limit_in_bytes", str(2**63 - 4096), 8 * GIB),
        ("cgroup", "rw,cpu", "memory.limit_in_bytes", "536870912", 8 * GIB),
    ],
)
def test_memory_is_that_of_the_machine_or_of_the_cgroup(
    kind: str, options: str, name: str, limit: str, expected: int, tmp_path: Path
) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/meminfo").write_text(f"MemTotal: {8 * GIB // 1024} kB\nMemFree: 1 kB\n")
    controller = "" if kind == "cgroup2" else options.partition(",")[2]
    (tmp_path / "proc/self/cgroup").write_text(f"0:{controller}:/box\n")
    (tmp_path / "proc/self/mountinfo").write_text(f"1 0 0:1 / /sys/fs/cgroup rw - {kind} cgroup {options}\n")
    (tmp_path / "sys/fs/cgroup/box").mkdir(parents=True)
    (tmp_path / "sys/fs/cgroup/box" / name).write_text(f"{limit}\n")
    assert usable_memory_bytes(tmp_path) == expected


def test_the_ready_line_says_why(model_dir: Path) -> None:
    with ServerProcess([*serve_command(model_dir), "--workers", "auto"]) as server:
        assert re.search(r"; (one process|one worker per 2 of|as many as fit into) ?.*\)$", server.ready_line)
