"""Where a call is answered: the stream's name as metadata, the server's instance, and an endpoint per worker."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ferserve import AsyncClient, StreamOptions
from ferserve.v1 import emotion_pb2 as pb
from ferserve.wire.metadata import INSTANCE_KEY, MOVABLE_KEY, STREAM_KEY, WORKER_KEY, as_dict, stream_value
from tests.serving.pooling_proxy import pooling_proxy
from tests.serving.process import ServerProcess
from tests.serving.streams import RawStream, astronaut_jpeg, stub_of
from tests.serving.workers import WORKERS, workers_command

FRAMES = [np.full((48, 48), 90, np.uint8)] * 3


def free_ports(count: int) -> int:
    """The first of as many free ports in a row."""
    for first in range(20_000, 30_000, count):
        with ExitStack() as held:
            try:
                for port in range(first, first + count):
                    held.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
            return first
    raise AssertionError("no free ports in a row")


@pytest.fixture(scope="module")
def endpoints(model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[str]]]:
    """The address that all workers share, and those of each."""
    first = free_ports(WORKERS)
    settings = tmp_path_factory.mktemp("settings") / "ferserve.toml"
    settings.write_text(f'[server]\nworker_ports = {first}\ninstance = "north"\n')
    with ServerProcess(workers_command(model_dir, "--config", str(settings))) as server:
        yield server.address, [f"127.0.0.1:{first + index}" for index in range(WORKERS)]


async def test_each_worker_answers_on_its_own_port(endpoints: tuple[str, list[str]]) -> None:
    for index, address in enumerate(endpoints[1]):
        async with stub_of(address) as stub:
            for _ in range(2):  # a movable stream is at home, though other workers have fewer
                stream = RawStream(stub, (MOVABLE_KEY, "1"), (WORKER_KEY, str((index + 1) % WORKERS)))
                await stream.open()
                assert as_dict(await stream.call.initial_metadata())[INSTANCE_KEY] == f"north:{index}"
        async with grpc.aio.insecure_channel(address) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            answer = await health.Check(health_pb2.HealthCheckRequest(service="ferserve.v1.EmotionService"))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_workers_with_ports_send_no_client_on(endpoints: tuple[str, list[str]]) -> None:
    async with stub_of(endpoints[0]) as stub:  # one connection, so one worker
        streams = [RawStream(stub, (MOVABLE_KEY, "1")) for _ in range(3)]
        for stream in streams:
            await stream.open()
        places = {as_dict(await stream.call.initial_metadata())[INSTANCE_KEY] for stream in streams}
        assert len(places) == 1


async def test_through_a_proxy_that_pools_connections_a_stream_stays(model_dir: Path) -> None:
    """A new connection to the proxy is none to the workers: whoever comes back on the old one is served."""
    with ServerProcess(workers_command(model_dir, "--workers", "2")) as server:
        async with pooling_proxy(server.address) as (address, proxy), AsyncClient(address) as client:
            for _ in range(WORKERS):
                results = [result async for result in client.stream(FRAMES)]
                assert [result.ok for result in results] == [True] * len(FRAMES)
            assert proxy.calls <= 2 * WORKERS


@pytest.mark.parametrize("stream_id", ["door", "Eingang Süd / 3", "日本", "a\nb\0", "x" * 128, "é" * 128])
async def test_any_name_of_a_stream_can_travel(address: str, stream_id: str) -> None:
    """A proxy sees it; the call would fail if gRPC could not send the metadata."""
    async with pooling_proxy(address) as (through, proxy), AsyncClient(through) as client:
        results = [result async for result in client.stream(FRAMES, StreamOptions(stream_id=stream_id))]
        assert [result.ok for result in results] == [True] * len(FRAMES)
        assert proxy.metadata[STREAM_KEY] == stream_value(stream_id)


async def test_a_stream_without_a_name_is_one_of_its_own(address: str) -> None:
    names = []
    async with pooling_proxy(address) as (through, proxy), AsyncClient(through) as client:
        for _ in range(2):
            _ = [result async for result in client.stream(FRAMES)]
            names.append(proxy.metadata[STREAM_KEY])
    assert len({*names, ""}) == 3


async def test_two_cameras_of_one_name_have_tracks_of_their_own(address: str) -> None:
    async with stub_of(address) as stub:
        for _ in range(2):
            stream = RawStream(stub)
            started = await stream.open(stream_id="door")
            assert not started.resumed
            await stream.send(1)
            assert (await stream.receive()).faces.faces[0].track_id == 1


async def test_a_single_call_says_where_it_was_answered(address: str) -> None:
    async with stub_of(address) as stub:
        call = stub.Classify(pb.ClassifyRequest(frame=pb.Frame(encoded=astronaut_jpeg())))
        await call
        assert as_dict(await call.trailing_metadata())[INSTANCE_KEY] == f"{socket.gethostname()}:0"
