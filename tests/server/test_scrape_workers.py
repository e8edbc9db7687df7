"""One metrics port for all worker processes, whose sums survive each of them."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

import ferserve
from tests.serving.health import free_port
from tests.serving.process import ServerProcess
from tests.serving.scrape import scrape, until
from tests.serving.streams import RawStream, astronaut_jpeg, stub_of
from tests.serving.workers import WORKERS, workers_command, workers_of

FRAMES = 4


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def server(model_dir: Path, port: int) -> Iterator[ServerProcess]:
    with ServerProcess(["env", f"FERSERVE_SERVER_METRICS_PORT={port}", *workers_command(model_dir)]) as server:
        yield server


def _answered(port: int) -> float:
    return scrape(port).get("ferserve_frames_total", outcome="answered", reason="")


def test_what_workers_count_is_summed(server: ServerProcess, port: int) -> None:
    before = _answered(port)
    with contextlib.ExitStack() as stack:
        for _ in range(2 * WORKERS):  # the workers share them evenly
            client = stack.enter_context(ferserve.Client(server.address))
            assert len(list(client.stream([astronaut_jpeg()] * FRAMES))) == FRAMES
    assert _answered(port) - before == 2 * WORKERS * FRAMES
    seen = scrape(port)
    assert seen["ferserve_streams_opened_total"] == 2 * WORKERS
    assert seen["ferserve_workers_up"] == WORKERS
    seen = until(port, lambda seen: seen["ferserve_threads"] == WORKERS)
    assert {dict(labels)["worker"] for name, labels in seen.samples if name == "ferserve_worker_up"} == set("012")
    (info,) = (dict(labels) for name, labels in seen.samples if name == "ferserve_engine_info")
    assert info["runs_on"].endswith(f"in each of {WORKERS} workers")


async def test_a_worker_that_dies_takes_its_streams_and_no_count(server: ServerProcess, port: int) -> None:
    async with contextlib.AsyncExitStack() as held:
        for _ in range(8):
            stub = await held.enter_async_context(stub_of(server.address))
            stream = RawStream(stub)
            await stream.open()
            held.callback(stream.call.cancel)
        before = until(port, lambda seen: seen["ferserve_streams_open"] == 8)
        streams = {worker: before.get("ferserve_worker_streams_open", worker=worker) for worker in "012"}
        assert sum(streams.values()) == 8
        victim = next(index for index in range(WORKERS) if streams[str(index)])
        os.kill(_in_order(server)[victim], signal.SIGKILL)
        gone = until(port, lambda seen: seen["ferserve_streams_open"] == 8 - streams[str(victim)])
        assert gone["ferserve_frames_total"] >= before["ferserve_frames_total"]
        back = until(port, lambda seen: seen["ferserve_workers_up"] == WORKERS)
        assert back.get("ferserve_worker_starts_total", worker=str(victim)) == 2
        assert back["ferserve_worker_starts_total"] == WORKERS + 1
        assert back["process_cpu_seconds_total"] >= before["process_cpu_seconds_total"]
    counts = [name for name, _ in before.samples if name.endswith(("_total", "_count", "_bucket"))]
    counts = [name for name in counts if name != "nv_inference_pending_request_count"]  # a gauge, by Triton's name
    assert {name: back[name] for name in counts if back[name] < before[name]} == {}


def _in_order(server: ServerProcess) -> list[int]:
    """Process ids by the index of the worker: they were started in that order."""
    return sorted(worker.pid for worker in workers_of(server))


def test_a_worker_that_hangs_does_not_keep_the_scrape(server: ServerProcess, port: int) -> None:
    with ferserve.Client(server.address) as client:
        assert len(list(client.stream([astronaut_jpeg()]))) == 1
    stuck = workers_of(server)[0]
    stuck.suspend()
    try:
        assert scrape(port)["ferserve_frames_total"]
    finally:
        stuck.resume()
