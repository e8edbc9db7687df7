"""Clients and workers that fail: the others are unaffected, nothing leaks, every frame has its one answer."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import grpc
import numpy as np
import pytest

from ferserve import AsyncClient, StreamOptions
from ferserve.options import Delivery
from ferserve.types import EncodedImage, Frame
from ferserve.v1 import emotion_pb2 as pb
from tests.serving.bystander import FACE, Bystander, Footprint, bystander
from tests.serving.process import ServerProcess, serve_command
from tests.serving.streams import RawStream, astronaut_jpeg, stub_of
from tests.serving.workers import workers_command, workers_of

T = TypeVar("T")

ASTRONAUT = np.array([[169, 68, 274, 178]], np.float32)
GROWTH_MB = 25
"""Memory that the allocator may keep after a burst; a leak of the frames would be several times that."""
STORM_S = float(os.environ.get("FERSERVE_STORM_S", "3"))
"""How long streams are opened and dropped; ``make soak`` asks for a minute."""


@pytest.fixture(scope="module")
def server(model_dir: Path) -> Iterator[ServerProcess]:
    with ServerProcess(serve_command(model_dir)) as server:
        yield server


async def warmed_up(server: ServerProcess) -> Footprint:
    """The footprint after the first allocations."""
    async with bystander(server.address):
        await asyncio.sleep(0.5)
    return await Footprint.settled(server.process.pid)


async def progress(seen: Bystander, frames: int = 5) -> None:
    """Wait until the bystander has got ``frames`` more answers."""
    wanted = len(seen.answered) + frames
    await _until(lambda: len(seen.answered) >= wanted)


_STREAMER = """
import asyncio, itertools, sys
from ferserve import AsyncClient
from tests.serving.streams import astronaut_jpeg

async def main():
    async with AsyncClient(sys.argv[1]) as client:
        async for result in client.stream(astronaut_jpeg() for _ in itertools.count()):
            print(result.frame_id, flush=True)

asyncio.run(main())
"""


async def test_a_client_that_is_killed_in_the_middle(server: ServerProcess) -> None:
    before = await warmed_up(server)
    async with bystander(server.address) as seen:
        for _ in range(3):
            client = await asyncio.create_subprocess_exec(
                sys.executable, "-c", _STREAMER, server.address, stdout=subprocess.PIPE
            )
            assert client.stdout is not None
            for _ in range(5):
                assert await client.stdout.readline()
            client.kill()
            await client.communicate()
            await progress(seen)
    after = await Footprint.settled(server.process.pid, files=before.files)
    assert after.threads <= before.threads
    assert after.rss_mb < before.rss_mb + GROWTH_MB


@pytest.mark.parametrize("delivery", [pb.DELIVERY_EVERY, pb.DELIVERY_LATEST])
async def test_a_client_that_never_reads(server: ServerProcess, delivery: int) -> None:
    """Its frames, 60 MB in all, stay with the client: the server reads no more than it may answer."""
    before = await warmed_up(server)
    async with bystander(server.address) as seen:
        held = await _send_without_reading(server, delivery, seen)
    after = await Footprint.settled(server.process.pid, files=before.files)
    assert held.rss_mb < before.rss_mb + GROWTH_MB
    assert after.rss_mb < before.rss_mb + GROWTH_MB


async def _send_without_reading(server: ServerProcess, delivery: int, seen: Bystander) -> Footprint:
    """The server's footprint at its worst. gRPC keeps a connection as long as one of its calls is referenced, hence
    a function of its own."""
    async with stub_of(server.address) as stub:
        silent = RawStream(stub)
        await silent.call.write(pb.ClassifyStreamRequest(config=pb.StreamConfig(delivery=delivery)))
        sender = asyncio.ensure_future(silent.send_all({i: {} for i in range(1, 1001)}))
        await silent.get_stuck()
        await progress(seen)
        held = Footprint(server.process.pid)
        sender.cancel()
        silent.call.cancel()
        return held


@pytest.mark.parametrize("delivery", [pb.DELIVERY_EVERY, pb.DELIVERY_LATEST])
async def test_a_thousand_frames_at_once(server: ServerProcess, delivery: int) -> None:
    before = await warmed_up(server)
    async with bystander(server.address) as seen:
        results = await _send_at_once(server, delivery)
        await progress(seen)
    assert [result.frame_id for result in results] == list(range(1, 1001))
    outcomes = Counter(result.WhichOneof("outcome") for result in results)
    assert results[-1].WhichOneof("outcome") == "faces", "the newest frame is never dropped"
    assert set(outcomes) <= ({"faces"} if delivery == pb.DELIVERY_EVERY else {"faces", "dropped"})
    after = await Footprint.settled(server.process.pid, files=before.files)
    assert after.rss_mb < before.rss_mb + GROWTH_MB


async def _send_at_once(server: ServerProcess, delivery: int) -> list[pb.FrameResult]:
    async with stub_of(server.address) as stub:
        hasty = RawStream(stub)
        await hasty.open(delivery=delivery)
        jpeg = astronaut_jpeg()
        results = await hasty.exchange({i: {"encoded": jpeg, "boxes": FACE} for i in range(1, 1001)})
        await hasty.call.done_writing()
        assert await hasty.call.read() is grpc.aio.EOF, "no frame is answered twice"
        return results


async def test_a_clock_that_jumps_back(server: ServerProcess) -> None:
    """The face is the same all the time, so its track must be."""
    async with stub_of(server.address) as stub:
        stream = RawStream(stub)
        await stream.open(delivery=pb.DELIVERY_EVERY)
        second = 1_000_000_000
        clock = [100 * second, 101 * second, 50 * second, 51 * second, 3, 2, 1, 0, 10**6 * second, -5 * second]
        jpeg = astronaut_jpeg()
        results = await stream.exchange(
            {i: {"encoded": jpeg, "boxes": FACE, "capture_time_ns": time_ns} for i, time_ns in enumerate(clock, 1)}
        )
    assert [result.capture_time_ns for result in results] == clock
    assert len({result.faces.faces[0].track_id for result in results}) == 1


async def test_two_hundred_streams_per_second_are_opened_and_dropped(server: ServerProcess) -> None:
    await _storm(server, 1.0)
    await _fill_pool(server)
    before = await warmed_up(server)
    async with bystander(server.address) as seen:
        opened = await _storm(server, STORM_S)
        await progress(seen)
    assert opened > 20 * STORM_S, "a slow machine opens fewer than 200 per second, but not so few"
    after = await Footprint.settled(server.process.pid, files=before.files, threads=before.threads)
    assert after.threads <= before.threads
    assert after.rss_mb < before.rss_mb + GROWTH_MB


async def _fill_pool(server: ServerProcess) -> None:
    """Let the pool of the server's event loop, which fills as calls come at once, start all of its threads."""
    async with stub_of(server.address) as stub:
        await asyncio.gather(*(stub.GetModel(pb.GetModelRequest()) for _ in range(500)))


async def _storm(server: ServerProcess, seconds: float) -> int:
    """Drop streams at every stage: before the config, after it, with a frame under way; returns how many."""
    started, opened = time.monotonic(), 0
    while (elapsed := time.monotonic() - started) < seconds:
        async with stub_of(server.address) as stub:
            await asyncio.gather(*(_open_and_drop(RawStream(stub), opened + i) for i in range(20)))
        opened += 20
        await asyncio.sleep(max(0.0, opened / 200 - elapsed))
    return opened


async def _open_and_drop(stream: RawStream, number: int) -> None:
    if number % 4:
        await stream.call.write(pb.ClassifyStreamRequest(config=pb.StreamConfig(stream_id=f"storm-{number % 7}")))
    if number % 4 >= 2:
        await stream.send(1, encoded=astronaut_jpeg(), boxes=FACE)
    if number % 4 == 3:
        await stream.call.read()
    stream.call.cancel()


async def test_a_worker_that_is_killed(model_dir: Path) -> None:
    """Six streams on three workers: the two of the dead one go on elsewhere, and no frame is lost or doubled."""
    with ServerProcess(workers_command(model_dir)) as server:
        victim = workers_of(server)[0]
        answered: list[list[int]] = [[] for _ in range(6)]
        streams = [asyncio.ensure_future(_resuming_stream(server.address, ids)) for ids in answered]
        await _until(lambda: min(map(len, answered)) >= 5)
        os.kill(victim.pid, signal.SIGKILL)
        await asyncio.gather(*streams)
        assert answered == [list(range(1, 61))] * 6
        family = await _until(lambda: len(workers_of(server)) == 3 and workers_of(server))
        assert victim.pid not in {worker.pid for worker in family}
        async with bystander(server.address) as seen:
            await progress(seen)
        server.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(server.wait) == 0
        assert "worker 0 ended with -9; starting it again" in server.rest()[1]


async def _resuming_stream(address: str, answered: list[int]) -> None:
    """Send 60 frames at 20 per second and note the ids of the answers."""

    async def camera() -> AsyncIterator[Frame]:
        for i in range(1, 61):
            yield Frame(i, EncodedImage(astronaut_jpeg()), time.monotonic_ns(), boxes=ASTRONAUT)
            await asyncio.sleep(0.05)

    async with AsyncClient(address) as client:
        async for result in client.stream(camera(), StreamOptions(delivery=Delivery.EVERY)):
            assert result.ok
            answered.append(result.frame_id)


async def _until(condition: Callable[[], T]) -> T:
    """The value of ``condition`` once it is true."""
    for _ in range(200):
        if found := condition():
            return found
        await asyncio.sleep(0.1)
    raise AssertionError("the condition must hold within 20 s")
