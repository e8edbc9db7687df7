"""One 640x480 JPEG stream at full speed: through a real server and the blocking client, and without the network.

``pytest tests/benchmarks/test_main_job.py -o addopts=--import-mode=importlib --benchmark-only -s`` prints frames a
second, the server's CPU time per frame, its memory, and where the time goes. The peer is an engine with one thread in
this process.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import ferserve
from ferserve.bench.process_stats import process_stats
from ferserve.config import EngineConfig
from ferserve.engine import Engine
from ferserve.options import Delivery, StreamOptions
from ferserve.types import EncodedImage, Frame, FrameResult
from tests import builders

FRAMES = 600
pytestmark = pytest.mark.heavy
EVERY = StreamOptions(delivery=Delivery.EVERY)
STAGES = ("queue", "decode", "detect", "preprocess", "infer", "total")


@pytest.fixture(scope="module")
def clip() -> list[Frame]:
    """A moving face at 30 FPS."""
    files = builders.jpeg_clip(FRAMES)
    return [Frame(i, EncodedImage(file), 1 + i * 33_333_333) for i, file in enumerate(files)]


@pytest.fixture(params=["emotion-lite", "emotion-lite-int8"])
def model(request: pytest.FixtureRequest) -> str:
    """Whichever is the default on this machine, both are bundled."""
    return str(request.param)


@pytest.fixture
def server(model: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "ferserve", "serve", "--port", "0", "--workers", "1", "--model", model]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.terminate()


def _report(name: str, results: list[FrameResult], seconds: float, benchmark: Any, **more: float) -> None:
    figures = {"fps": FRAMES / seconds, **more}
    figures |= {f"{s}_ms": float(np.mean([getattr(r.timings, f"{s}_ms") for r in results])) for s in STAGES}
    benchmark.extra_info.update(figures)
    print(f"\n{name}: " + ", ".join(f"{key} {value:.3f}" for key, value in figures.items()))


def _run(stream: Callable[[], list[FrameResult]], benchmark: Any) -> list[FrameResult]:
    results: list[FrameResult] = benchmark.pedantic(stream, rounds=3, warmup_rounds=1)
    assert [r.frame_id for r in results] == list(range(FRAMES))
    assert all(r.faces for r in results)
    return results


@pytest.mark.benchmark(group="one stream of 640x480 JPEGs")
def test_through_server_and_client(
    server: subprocess.Popen[str], model: str, clip: list[Frame], benchmark: Any
) -> None:
    assert server.stdout is not None
    address = server.stdout.readline().split()[3]
    before = process_stats(server.pid)
    with ferserve.Client(address) as client:
        results = _run(lambda: list(client.stream(clip, EVERY)), benchmark)
    used = process_stats(server.pid)
    cpu_ms = (used.cpu_s - before.cpu_s) / (4 * FRAMES) * 1e3
    _report(f"server, {model}", results, benchmark.stats.stats.min, benchmark, cpu_ms=cpu_ms, rss_mb=used.rss_mb)


@pytest.mark.benchmark(group="one stream of 640x480 JPEGs")
def test_engine_alone(model: str, clip: list[Frame], benchmark: Any) -> None:
    def stream() -> list[FrameResult]:
        with engine.open_stream(EVERY) as opened:
            return [opened.submit(frame).result(30) for frame in clip]

    with Engine(EngineConfig(model=model, threads=1)) as engine:
        results = _run(stream, benchmark)
    _report(f"engine, {model}", results, benchmark.stats.stats.min, benchmark)
