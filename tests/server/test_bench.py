"""``ferserve bench`` against real servers."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.serving.workers import is_worker
from tests.tiny_models import brightness_spec, write_brightness_model

STREAMS_KEYS = {
    "cameras",
    "fps",
    "seconds",
    "sent",
    "answered",
    "dropped",
    "late",
    "p50_ms",
    "p95_ms",
    "p99_ms",
    "server_cpu_cores",
    "server_rss_mb",
    "frames_per_second",
    "raw_limit_fps",
    "ratio",
}
CROPS_KEYS = {"per_second", "raw_limit_per_second", "ratio", "server_cpu_s_per_1000", "p50_ms", "p99_ms"}


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("bench") / "brightness.onnx"
    return write_brightness_model(path, brightness_spec("brightness", side=48))


def bench(*arguments: object) -> dict:
    command = [sys.executable, "-m", "ferserve", "bench", *map(str, arguments), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_frame_of_every_camera_is_accounted_for(model: Path) -> None:
    report = bench(
        "streams", "--cameras", 3, "--fps", 10, "--seconds", 2, "--faces", 2, "--boxes", "--size", "320x240",
        "--raw-seconds", 1, "--model", model,
    )  # fmt: skip
    assert set(report) >= STREAMS_KEYS
    assert report["sent"] == 3 * 10 * 2
    assert report["sent"] == report["answered"] + report["dropped"] + report["faults"] + report["lost"]
    assert report["answered"] > 0
    assert report["faces_per_frame"] == 2
    assert 0 < report["p50_ms"] <= report["p95_ms"] <= report["p99_ms"]
    assert report["ratio"] == pytest.approx(report["frames_per_second"] / report["raw_limit_fps"], abs=0.01)
    assert report["server_cpu_cores"] > 0
    assert report["server_rss_mb"] > 20


def test_without_boxes_the_server_finds_the_face_itself(model: Path) -> None:
    report = bench("streams", "--cameras", 1, "--fps", 5, "--seconds", 2, "--raw-seconds", 0, "--model", model)
    assert report["faces_per_frame"] > 0.8
    assert report["raw_limit_fps"] is None
    assert report["ratio"] is None


async def test_a_server_that_runs_already_is_measured_with_its_process(address: str) -> None:
    report = await asyncio.to_thread(
        bench, "streams", "--cameras", 2, "--fps", 5, "--seconds", 1, "--boxes", "--raw-seconds", 0, "--target", address
    )
    assert report["sent"] == 10
    assert report["server_cpu_cores"] is not None


@pytest.mark.parametrize(("door", "batch"), [("native", 1), ("native", 80), ("oip", 16)])
def test_crops_are_counted_one_by_one(model: Path, door: str, batch: int) -> None:
    """A message of 16 tensors is larger than the window that a call begins with."""
    report = bench("crops", "--door", door, "--seconds", 1, "--raw-seconds", 1, "--batch", batch, "--model", model)
    assert set(report) >= CROPS_KEYS
    assert report["per_second"] > 0
    assert report["failed"] == 0
    assert report["ratio"] == pytest.approx(report["per_second"] / report["raw_limit_per_second"], abs=0.01)
    assert 0 < report["p50_ms"] <= report["p99_ms"]


@pytest.mark.parametrize(
    ("door", "words"),
    [
        ("native", "frame.crops must be at most 64, got 65; send them in parts"),
        ("oip", "elements of 'input' must be at most 4096, got 4160 in the shape [65, 1, 8, 8]; send them in parts"),
    ],
)
async def test_what_no_server_answers_is_said_in_its_words(address: str, door: str, words: str) -> None:
    command = [sys.executable, "-m", "ferserve", "bench", "crops", "--target", address, "--batch", "65", "--door", door]
    command += ["--seconds", "1", "--raw-seconds", "0"]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"ferserve: {words}")  # a call that failed adds its id
    assert done.stderr.count("\n") == 1


def test_a_server_that_is_not_there_is_said_in_one_line() -> None:
    command = [sys.executable, "-m", "ferserve", "bench", "crops", "--target", "127.0.0.1:1", "--raw-seconds", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("ferserve: target must be a running server, got 127.0.0.1:1")
    assert done.stderr.count("\n") == 1


def test_ctrl_c_in_a_terminal_ends_all_processes_without_a_word(model: Path) -> None:
    """A terminal sends the signal to everybody in it."""
    heed = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
    arguments = ["-m", "ferserve", "bench", "crops", "--seconds", "60", "--raw-seconds", "0", "--model", str(model)]
    with subprocess.Popen(
        [sys.executable, "-c", heed, sys.executable, *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    ) as process:  # fmt: skip
        family = _family_with_generator(process.pid)
        os.killpg(process.pid, signal.SIGINT)
        assert process.communicate(timeout=30) == ("", "")
        assert process.returncode == 130
    _, alive = psutil.wait_procs(family, timeout=10)
    assert not alive


def _family_with_generator(pid: int) -> list[psutil.Process]:
    """The server and the generator, once both are there."""
    for _ in range(300):
        family = psutil.Process(pid).children()
        if sum(map(is_worker, family)):
            return family
        time.sleep(0.1)
    raise AssertionError("the generator must start within 30 s")
