"""``ferserve serve --profile``: a file for speedscope that says where the time went."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import psutil

import ferserve
from tests.serving.commands import run_command
from tests.serving.process import ServerProcess, serve_command
from tests.serving.streams import astronaut_jpeg


def _serve(command: list[str]) -> float:
    """Let a server classify, and end it; returns the processor seconds that it had used by then."""
    with ServerProcess(command) as server:
        with ferserve.Client(server.address) as client:
            for _ in range(100):
                assert client.classify(astronaut_jpeg()).ok
        spent_s = sum(psutil.Process(server.process.pid).cpu_times()[:2])
        server.process.send_signal(signal.SIGTERM)
        assert server.wait() == 0
        assert server.rest() == ("", "")
    return spent_s


def _total_s(profile: dict[str, Any]) -> float:
    return float(sum(thread["endValue"] for thread in profile["profiles"])) / 1e9


def _names(profile: dict[str, Any], thread: dict[str, Any]) -> set[str]:
    frames = profile["shared"]["frames"]
    return {f"{Path(frames[i]['file']).name}:{frames[i]['name']}" for stack in thread["samples"] for i in stack}


def test_the_profile_holds_the_processor_time_and_the_functions_that_used_it(model_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "profile.json"
    spent_s = _serve([*serve_command(model_dir), "--profile", str(file)])
    profile = json.loads(file.read_text())
    assert profile["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    for thread in profile["profiles"]:
        assert (thread["type"], thread["unit"], thread["startValue"]) == ("sampled", "nanoseconds", 0)
        assert len(thread["samples"]) == len(thread["weights"]) > 0
        assert sum(thread["weights"]) == thread["endValue"]
        assert min(thread["weights"]) > 0
        assert all(0 <= i < len(profile["shared"]["frames"]) for stack in thread["samples"] for i in stack)
    workers = [thread for thread in profile["profiles"] if thread["name"].startswith("ferserve-worker-")]
    assert {"pool.py:_work", "pipeline.py:run", "decode.py:decode"} <= set().union(
        *(_names(profile, w) for w in workers)
    )
    assert 0.1 < _total_s(profile) <= spent_s + 2, (
        "the start before the profiler is missing, the end is not in psutil's"
    )


def test_each_worker_writes_a_file_of_its_own_or_tells_why_not(model_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "p-0.json").symlink_to("/dev/full")
    with ServerProcess([*serve_command(model_dir), "--workers", "2", "--profile", str(tmp_path / "p.json")]) as server:
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(20)
        _, log = server.rest()
    assert log.count("\n") == 1
    assert f"worker 0: cannot write the profile {tmp_path / 'p-0.json'}: No space left on device" in log
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p-0.json", "p-1.json"]
    assert json.loads((tmp_path / "p-1.json").read_text())["profiles"]


def test_a_file_that_cannot_be_written_to_is_one_line_at_the_start(model_dir: Path, tmp_path: Path) -> None:
    arguments = serve_command(model_dir)[serve_command(model_dir).index("serve") :]
    file = tmp_path / "no" / "such"
    done = run_command(*arguments, "--profile", file)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("ferserve: server.profile must be a file that can be written to, got ")
    assert done.stderr.count("\n") == 1


def test_a_full_disk_is_one_line_and_no_success(model_dir: Path) -> None:
    with ServerProcess([*serve_command(model_dir), "--profile", "/dev/full"]) as server:
        server.process.send_signal(signal.SIGTERM)
        assert server.wait() == 1
        out, log = server.rest()
    assert (out, log.count("\n")) == ("", 1)
    assert log.startswith("ferserve: cannot write the profile /dev/full: No space left on device")
