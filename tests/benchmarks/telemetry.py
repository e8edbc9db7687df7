"""What telemetry costs: the same frames to a server with all of it and to one without, in turns.

    python -m tests.benchmarks.telemetry [--rounds 30] [--frames 300] [--streams 64]

All of it means metrics that are scraped every second, one call in a hundred traced to a collector, and JSON log lines
with the access log. Prints the ratios of throughput and of the server's processor time per frame, each with an interval
of 95 % (:mod:`tests.benchmarks.signed_rank`), then time and size of a scrape while the streams are open.
Processor time does not depend on what else the machine does, so it decides on a busy one.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import random
import statistics
import subprocess
import threading
import time
import timeit
import urllib.request
from collections.abc import Iterator
from concurrent import futures
from dataclasses import dataclass
from typing import Any

import grpc
import numpy as np
import psutil
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

import ferserve
from ferserve.options import Delivery, StreamOptions
from ferserve.server.telemetry.exporter import Exporter
from ferserve.server.telemetry.page import Page
from ferserve.types import FrameResult, Timings
from tests.benchmarks.signed_rank import interval
from tests.serving.commands import FERSERVE
from tests.serving.health import free_port
from tests.serving.streams import astronaut_jpeg

_ERROR = 0.025
_SCRAPES = 50


class _Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Takes spans, and forgets them."""

    def Export(self, request: Any, context: Any) -> Any:
        return trace_service_pb2.ExportTraceServiceResponse()


@contextlib.contextmanager
def _collector() -> Iterator[str]:
    server = grpc.server(futures.ThreadPoolExecutor(1))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(_Collector(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"http://127.0.0.1:{port}"
    server.stop(0)


@dataclass
class _Server:
    """One side of the comparison."""

    address: str
    process: psutil.Process

    def block(self, frames: list[bytes]) -> tuple[float, float]:
        """Seconds, and the server's processor seconds, per frame of a stream at full speed."""
        with ferserve.Client(self.address) as client:
            spent_s, started = sum(self.process.cpu_times()[:2]), time.perf_counter()
            answered = sum(result.ok for result in client.stream(frames, StreamOptions(delivery=Delivery.EVERY)))
            seconds = time.perf_counter() - started
        assert answered == len(frames)
        return seconds / answered, (sum(self.process.cpu_times()[:2]) - spent_s) / answered


@contextlib.contextmanager
def _serving(settings: dict[str, str], *flags: str) -> Iterator[_Server]:
    environment = {**os.environ, **{f"FERSERVE_SERVER_{key}": value for key, value in settings.items()}}
    command = [*FERSERVE, "serve", "--port", "0", *flags]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    address = process.stdout.readline().removeprefix("ferserve ready on ").partition(" ")[0]
    try:
        yield _Server(address, psutil.Process(process.pid))
    finally:
        process.terminate()
        process.communicate()


@contextlib.contextmanager
def _scraped(port: int) -> Iterator[None]:
    """Somebody scrapes once a second."""
    ending = threading.Event()

    def scrape() -> None:
        while not ending.wait(1.0):
            _scrape(port)

    thread = threading.Thread(target=scrape)
    thread.start()
    yield
    ending.set()
    thread.join()


def _scrape(port: int) -> tuple[float, int]:
    """Seconds and bytes."""
    started = time.perf_counter()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        size = len(answer.read())
    return time.perf_counter() - started, size


def _compare(plain: _Server, full: _Server, rounds: int, frames: list[bytes]) -> None:
    ratios: list[tuple[float, float]] = []
    for _ in range(rounds):
        sides = [plain, full]
        random.shuffle(sides)
        times = {side.address: side.block(frames) for side in sides}
        mine, other = times[full.address], times[plain.address]
        ratios.append((math.log(other[0] / mine[0]), math.log(mine[1] / other[1])))
    for name, column in (("throughput", 0), ("processor time per frame", 1)):
        found = interval(np.array([ratio[column] for ratio in ratios]), _ERROR)
        low, middle, high = (100 * math.expm1(value) for value in (found.low, found.middle, found.high))
        print(f"{name} with telemetry: {middle:+.1f} % ({low:+.1f} to {high:+.1f} %), {rounds} rounds")


def _time_scrapes(server: _Server, port: int, streams: int) -> None:
    """With so many streams open, each of which has sent a frame."""
    ending = threading.Event()
    picture = astronaut_jpeg()

    def pictures() -> Iterator[bytes]:
        yield picture
        ending.wait()

    def film() -> None:
        with ferserve.Client(server.address) as client:
            for _ in client.stream(pictures(), StreamOptions(delivery=Delivery.LATEST)):
                pass

    threads = [threading.Thread(target=film) for _ in range(streams)]
    for thread in threads:
        thread.start()
    time.sleep(5)
    spent_s = sum(server.process.cpu_times()[:2])
    scrapes = [_scrape(port) for _ in range(_SCRAPES)]
    spent_s = sum(server.process.cpu_times()[:2]) - spent_s
    ending.set()
    for thread in threads:
        thread.join()
    times_ms = sorted(seconds * 1000 for seconds, _ in scrapes)
    print(
        f"scrape with {streams} streams: median {statistics.median(times_ms):.1f} ms, highest {times_ms[-1]:.1f} ms, "
        f"{1000 * spent_s / _SCRAPES:.1f} ms of the server's processor time, "
        f"{max(size for _, size in scrapes) / 1000:.0f} kB"
    )


def _time_counting() -> None:
    """The least of some turns: what an answered frame costs the thread that has it."""
    exporter, timings = Exporter(Page()), Timings(0.1, 1.0, 2.0, 0.3, 1.2, 5.1)
    result = FrameResult(1, timings=timings, model_name="model", model_version="1")
    turns = timeit.repeat(lambda: exporter.frame_answered(result), number=2000, repeat=20)
    print(f"counting an answered frame: {min(turns) / 2000 * 1e6:.1f} µs")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.telemetry")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--streams", type=int, default=64)
    options = parser.parse_args()
    _time_counting()
    frames, port = [astronaut_jpeg()] * options.frames, free_port()
    with _collector() as endpoint:
        everything = {"METRICS_PORT": str(port), "OTLP_ENDPOINT": endpoint, "TRACE_RATIO": "0.01"}
        flags = ("--log-format", "json", "--log-level", "info", "--access-log")
        with _serving({}) as plain, _serving(everything, *flags) as full:
            with _scraped(port):
                _compare(plain, full, options.rounds, frames)
            _time_scrapes(full, port, options.streams)


if __name__ == "__main__":
    main()
