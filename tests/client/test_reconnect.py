"""Streams outlive their connections: the server is killed, or drained, in the middle, and comes back on its port."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

import ferserve
from ferserve.errors import ServerUnavailableError
from ferserve.sources.arrays import raw_image
from ferserve.types import Frame, FrameResult
from ferserve.v1 import emotion_pb2 as pb
from ferserve.v1 import emotion_pb2_grpc
from tests import builders
from tests.serving.process import ServerProcess, serve_command
from tests.serving.relay import relay_to
from tests.serving.scripted import scripted_server

FRAMES = 60


class _Outage:
    """A source whose server goes away just before one of its frames and comes back a little later."""

    def __init__(self, model_dir: Path, graceful: bool) -> None:
        self.server = ServerProcess(serve_command(model_dir))
        self._command = serve_command(model_dir, self.server.port)
        self._graceful = graceful
        self._restart = threading.Thread(target=self._go_and_come_back)

    def frames(self) -> Iterator[np.ndarray]:
        for number in range(FRAMES):
            if number == FRAMES // 2:
                self._restart.start()
            yield builders.scene(number / 30)
            time.sleep(0.01)

    def _go_and_come_back(self) -> None:
        if self._graceful:
            self.server.process.terminate()
        else:
            self.server.process.kill()
        self.server.process.communicate()
        time.sleep(0.3)
        self.server = ServerProcess(self._command)

    def end(self) -> None:
        if self._restart.is_alive():
            self._restart.join()
        self.server.process.kill()
        self.server.process.communicate()


@pytest.fixture(params=["killed", "drained"])
def outage(model_dir: Path, request: pytest.FixtureRequest) -> Iterator[_Outage]:
    outage = _Outage(model_dir, graceful=request.param == "drained")
    yield outage
    outage.end()


def test_every_frame_gets_exactly_one_answer_across_a_restart(outage: _Outage) -> None:
    with ferserve.Client(outage.server.address) as client:
        results = list(client.stream(outage.frames()))
    assert [r.frame_id for r in results] == list(range(1, FRAMES + 1))
    assert all(r.ok for r in results)
    _require_new_ids(results)


def _require_new_ids(results: list[FrameResult]) -> None:
    """The server that came back knew no tracks: one result says so, and from it on no id is one of before."""
    (came_back,) = (i for i, result in enumerate(results) if result.tracks_lost)
    before, after = ({f.track_id for r in part for f in r.faces} for part in (results[:came_back], results[came_back:]))
    assert before
    assert after
    assert max(before) < min(after)


async def test_the_asynchronous_client_too(model_dir: Path) -> None:
    outage = await asyncio.to_thread(_Outage, model_dir, False)
    try:
        async with ferserve.AsyncClient(outage.server.address) as client:
            results = [r async for r in client.stream(outage.frames())]
    finally:
        await asyncio.to_thread(outage.end)
    assert [r.frame_id for r in results] == list(range(1, FRAMES + 1))
    _require_new_ids(results)


async def test_faces_keep_their_ids_if_only_the_connection_breaks(address: str) -> None:
    """Twice, in the middle of a stream, with frames and answers under way."""
    async with relay_to(address) as (relay, relayed), ferserve.AsyncClient(relayed) as client:

        async def frames() -> AsyncIterator[Frame]:
            for number in range(FRAMES):
                if number in (FRAMES // 3, FRAMES // 2):
                    relay.cut()
                taken_ns = 10**18 + number * 10**9 // 30
                yield Frame(number + 1, raw_image(builders.scene(number / 30)), capture_time_ns=taken_ns)

        results = [r async for r in client.stream(frames())]
        assert relay.cuts == 2
    assert [r.frame_id for r in results] == list(range(1, FRAMES + 1))
    assert {face.track_id for r in results for face in r.faces} == {1}
    assert all(len(r.faces) == 1 and not r.tracks_lost for r in results)


async def test_a_stream_that_was_idle_comes_back(address: str) -> None:
    """Idle for longer than ``reconnect_s``, on a connection that works all the time."""
    answered = asyncio.Event()
    async with relay_to(address) as (relay, relayed), ferserve.AsyncClient(relayed, reconnect_s=2) as client:

        async def frames() -> AsyncIterator[np.ndarray]:
            yield builders.astronaut()
            await answered.wait()
            await asyncio.sleep(2.5)
            relay.cut()
            yield builders.astronaut()

        ids = []
        async for result in client.stream(frames()):
            ids.append(result.frame_id)
            answered.set()
        assert relay.cuts == 1
    assert ids == [1, 2]


class _Fragile(emotion_pb2_grpc.EmotionServiceServicer):
    """Starts every stream and goes away at its first frame."""

    def __init__(self) -> None:
        self.streams = 0

    async def ClassifyStream(self, requests: Any, context: Any) -> None:
        self.streams += 1
        await context.read()
        await context.write(pb.ClassifyStreamResponse(started=pb.StreamStarted()))
        await context.read()
        await context.abort(grpc.StatusCode.UNAVAILABLE, "gone")


async def test_a_frame_that_breaks_every_connection_is_given_up() -> None:
    server = _Fragile()
    async with scripted_server(server) as address, ferserve.AsyncClient(address, reconnect_s=1) as client:
        with pytest.raises(ServerUnavailableError, match=r"comes back within 1 s, got .*gone"):
            await asyncio.wait_for(anext(client.stream([builders.astronaut()])), 30)
    assert 2 <= server.streams <= 10, "with longer and longer delays"


def test_a_server_that_stays_away_is_given_up(model_dir: Path) -> None:
    server = ServerProcess(serve_command(model_dir))
    with server, ferserve.Client(server.address, reconnect_s=1) as client:
        stream = client.stream(builders.scene(i / 30) for i in range(1000))
        assert next(stream).frame_id == 1
        server.process.kill()
        started = time.monotonic()
        with pytest.raises(ServerUnavailableError, match="comes back within 1 s"):
            list(stream)
        assert 0.3 < time.monotonic() - started < 10


def test_single_calls_are_tried_again_while_the_server_restarts(model_dir: Path) -> None:
    server = ServerProcess(serve_command(model_dir))
    with server, ferserve.Client(server.address) as client:
        assert len(client.classify(builders.astronaut()).faces) == 1
        server.process.kill()
        server.process.wait()
        with ServerProcess(serve_command(model_dir, server.port)):
            assert len(client.classify(builders.astronaut()).faces) == 1


async def test_single_calls_of_any_size_are_tried_again() -> None:
    class Busy(emotion_pb2_grpc.EmotionServiceServicer):
        calls = 0

        async def Classify(self, request: pb.ClassifyRequest, context: Any) -> pb.ClassifyResponse:
            self.calls += 1
            if self.calls < 3:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "not yet")
            return pb.ClassifyResponse(result=pb.FrameResult(width=request.frame.raw.width))

        async def GetModel(self, request: Any, context: Any) -> pb.Model:
            return pb.Model()

    for side in (500, 520, 2000):  # gRPC itself would hold 256 KiB, which is 512 x 512
        async with scripted_server(Busy()) as address, ferserve.AsyncClient(address) as client:
            assert (await client.classify(np.zeros((side, side), np.uint8))).width == side
