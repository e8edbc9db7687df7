"""The figures of docs/web.md: ``python -m tests.benchmarks.web [--minutes 10]``. Needs Chromium for the last three."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
from playwright.sync_api import Browser, expect
from websockets.asyncio.client import connect

import ferserve
from ferserve.web.application import STATIC
from tests import builders
from tests.serving.commands import FERSERVE
from tests.serving.health import free_port
from tests.web.browser import Visit, chromium, fake_camera_clip
from tests.web.serving import frame

ROOT = Path(__file__).parents[2]
CLIP = [builders.jpeg(builders.scene(i / 30)) for i in range(60)]
CARD = "#camera-people .card:not(.gone) .bars"


def main() -> None:
    """Measure and print, one figure a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0, help="how long the memory is watched")
    parser.add_argument("--frames", type=int, default=600, help="per round-trip figure")
    arguments = parser.parse_args()
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    print(f"page: {sum(path.stat().st_size for path in STATIC.iterdir()) / 1024:.1f} KB in all its files")
    with served() as (pid, page, target):
        asyncio.run(round_trips(page, target, arguments.frames))
        core_share(pid, page)
    with tempfile.TemporaryDirectory() as folder, chromium() as launch:
        browser = launch(fake_camera_clip(Path(folder) / "astronaut.y4m", 90))
        for run in ("cold", "warm"):
            first_overlay(browser, run)
        with served() as (pid, page, _):
            memory(browser, psutil.Process(pid), page, arguments.minutes)


@contextlib.contextmanager
def served() -> Iterator[tuple[int, str, str]]:
    """``ferserve serve --web``: its process, the page, and the gRPC address."""
    port = free_port()
    command = [*FERSERVE, "serve", "--port", "0", "--web", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        target = process.stdout.readline().split()[3]
        try:
            yield process.pid, f"http://127.0.0.1:{port}/", target.rstrip(":")
        finally:
            process.terminate()


async def round_trips(page: str, target: str, frames: int) -> None:
    """One frame after the other over each door of the same server, in turns."""
    by_door: dict[str, list[float]] = {"gRPC": [], "WebSocket": []}
    for _ in range(4):
        by_door["gRPC"] += await grpc_trips(target, frames // 4)
        by_door["WebSocket"] += await socket_trips(page, frames // 4)
    for door, trips in by_door.items():
        deciles = statistics.quantiles(trips, n=20)
        print(f"round trip of 640x480 over {door}: p50 {statistics.median(trips):.1f} ms, p95 {deciles[18]:.1f} ms")


async def grpc_trips(target: str, frames: int) -> list[float]:
    trips: list[float] = []
    answered = asyncio.Semaphore(1)
    sent = 0.0

    async def feed() -> AsyncIterator[tuple[float, bytes]]:
        nonlocal sent
        for i in range(frames):
            await answered.acquire()
            sent = time.perf_counter()
            yield i / 30, CLIP[i % len(CLIP)]

    async with ferserve.AsyncClient(target, max_in_flight=1) as client:
        async for _ in client.stream(feed()):
            trips.append((time.perf_counter() - sent) * 1000)
            answered.release()
    return trips[frames // 10 :]


async def socket_trips(page: str, frames: int, interval_s: float = 0) -> list[float]:
    trips: list[float] = []
    async with connect(page.replace("http", "ws") + "v1/stream", compression=None) as socket:
        await socket.send('{"delivery": "every"}')
        await socket.recv()
        began = time.perf_counter()
        for i in range(frames):
            await asyncio.sleep(began + i * interval_s - time.perf_counter())
            sent = time.perf_counter()
            await socket.send(frame(i + 1, CLIP[i % len(CLIP)], i * 33_000_000 + 1))
            await socket.recv()
            trips.append((time.perf_counter() - sent) * 1000)
    return trips[frames // 10 :]


def core_share(pid: int, page: str, seconds: int = 10) -> None:
    """Processor time of the server per second of a stream of 30 frames per second, against the engine alone."""
    process = psutil.Process(pid)

    def busy() -> float:
        times = process.cpu_times()
        return times.user + times.system

    before, began = busy(), time.monotonic()
    asyncio.run(socket_trips(page, 30 * seconds, 1 / 30))
    web, fps = (busy() - before) / (time.monotonic() - began), 30 * seconds / (time.monotonic() - began)
    code = "import time, psutil; from tests.benchmarks.web import engine_alone; engine_alone(" + str(seconds) + ")"
    alone = float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    print(
        f"a stream at {fps:.1f} FPS: {web:.1%} of a core, the engine alone {alone:.1%}, so {web - alone:.1%} beyond it"
    )


def engine_alone(seconds: int) -> None:
    """Print the processor time per second of the same stream without a network."""
    from ferserve.engine import Engine
    from ferserve.types import EncodedImage, Frame

    with Engine() as engine, engine.open_stream() as stream:
        before, began = time.process_time(), time.monotonic()
        for i in range(30 * seconds):
            time.sleep(max(0.0, began + i / 30 - time.monotonic()))
            stream.submit(Frame(i, EncodedImage(CLIP[i % len(CLIP)]), i * 33_000_000 + 1)).result()
        print((time.process_time() - before) / (time.monotonic() - began))


def first_overlay(browser: Browser, run: str) -> None:
    """From the start of the demo's program to the first face with its bars, in a browser that runs."""
    began = time.monotonic()
    command = [sys.executable, str(ROOT / "examples/demo_web.py"), "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address, path = process.stdout.readline().split()[4].rstrip(";").split("#")
        served_s = time.monotonic() - began
        with Visit(browser, address, f"#{path}") as page:
            expect(page.locator(CARD)).to_be_visible()
            print(
                f"demo to the first overlay, {run}: {time.monotonic() - began:.1f} s, {served_s:.1f} s of it the server"
            )
        process.terminate()


def memory(browser: Browser, server: psutil.Process, address: str, minutes: float) -> None:
    """Memory of the page and of the server while a camera runs, each minute or sixth of the time."""
    with Visit(browser, address, "#camera", permissions=["camera"]) as page:
        page.check("#agree")
        page.click("#start")
        expect(page.locator(CARD)).to_be_visible()
        session = page.context.new_cdp_session(page)
        heaps, renderers, servers, rates = [], [], [], []
        page.wait_for_timeout(min(60, minutes * 12) * 1000)
        for _ in range(11):
            rates.append(float(page.inner_text("#meter-fps")))
            session.send("HeapProfiler.collectGarbage")
            heaps.append(session.send("Runtime.getHeapUsage")["usedSize"] / 2**20)
            renderers.append(_renderers_mb())
            servers.append(server.memory_info().rss / 2**20)
            page.wait_for_timeout(minutes * 60_000 / 10)
        trip = page.inner_text("#meter-trip")
        print(f"in the page: {min(rates)} to {max(rates)} results/s, round trip at the end {trip}")
    for name, values in (("heap of the page", heaps), ("the browser's renderers", renderers), ("the server", servers)):
        middle = (max(values) + min(values)) / 2
        listed = " ".join(f"{value:.1f}" for value in values)
        print(f"{name} over {minutes:g} min: {listed} MB, ±{(max(values) - middle) / middle:.1%}")


def _renderers_mb() -> float:
    """What the browser's processes of pages have for themselves alone."""
    children = psutil.Process().children(recursive=True)
    pages = [child for child in children if "--type=renderer" in child.cmdline()]
    return sum(page.memory_full_info().uss for page in pages) / 2**20


if __name__ == "__main__":
    main()
