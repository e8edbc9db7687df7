"""``grpc.health.v1``, as load balancers and orchestrators use it."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from h2.events import ResponseReceived

from ferserve.config import EngineConfig, ServerConfig
from ferserve.engine import Engine
from ferserve.errors import ConfigError
from ferserve.server import Server
from ferserve.v1 import emotion_pb2 as pb
from tests.busy import held_workers
from tests.counting import Counting
from tests.fire.rude import RudeConnection, message
from tests.serving.certificates import issue
from tests.serving.fixtures import StartServer
from tests.serving.health import free_port, health_at
from tests.serving.process import ServerProcess, serve_command
from tests.serving.streams import RawStream, stub_of

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.mark.parametrize("service", ["", "ferserve.v1.EmotionService"])
async def test_a_running_server_serves(address: str, service: str) -> None:
    async with grpc.aio.insecure_channel(address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        answer = await health.Check(health_pb2.HealthCheckRequest(service=service))
    assert answer.status == SERVING


async def test_an_unknown_service_is_not_found(address: str) -> None:
    async with grpc.aio.insecure_channel(address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service="nobody"))
    assert failure.value.code() is grpc.StatusCode.NOT_FOUND


async def test_a_watcher_that_takes_nothing_holds_up_nobody(engine: Engine) -> None:
    """Neither other watchers, nor the stop."""
    server = Server(engine, ServerConfig(port=0, grace_s=30))
    address = await server.start()
    with RudeConnection(address, initial_window=0) as rude:
        call = rude.open("/grpc.health.v1.Health/Watch")
        rude.send(call, message(b""), end=True)
        await asyncio.to_thread(_wait_for_headers, rude, call)
        async with grpc.aio.insecure_channel(address) as channel:
            watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
            assert (await watch.read()).status == SERVING
            assert await health_at(int(address.rpartition(":")[2])) == SERVING
            stopping = asyncio.ensure_future(server.stop())
            assert (await watch.read()).status == NOT_SERVING
            await asyncio.wait_for(stopping, 20)  # and not the 30 s of grace


def _wait_for_headers(rude: RudeConnection, call: int) -> None:
    """They come with the first answer, which then has no window to go out."""
    while not any(isinstance(event, ResponseReceived) and event.stream_id == call for event in rude.poll(0.1)):
        pass


async def test_health_says_when_the_workers_make_no_progress(engine_config: EngineConfig) -> None:
    counting = Counting()
    with Engine(engine_config, counting) as engine:
        server = Server(engine, ServerConfig(port=0, stall_s=0.1))
        async with grpc.aio.insecure_channel(await server.start()) as channel:
            watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
            assert (await watch.read()).status == SERVING
            with held_workers(engine):
                assert (await watch.read()).status == NOT_SERVING
            assert (await watch.read()).status == SERVING
            assert counting.stalled == [True, False]
            await server.stop(1)  # which leaves watchers the time to hear of it
            assert (await watch.read()).status == NOT_SERVING


@pytest.mark.parametrize("own_port", [True, False])
async def test_garbled_health_checks_are_refused(engine: Engine, own_port: bool) -> None:
    health_port = free_port()
    server = Server(engine, ServerConfig(port=0, health_port=health_port))
    address = await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{health_port}" if own_port else address) as channel:
        for method in ("unary_unary", "unary_stream"):
            name = "Check" if method == "unary_unary" else "Watch"
            call = getattr(channel, method)(f"/grpc.health.v1.Health/{name}")(b"\xff\xff")
            assert await call.code() is grpc.StatusCode.INVALID_ARGUMENT
            assert "must be protobuf of its type" in await call.details()
    await server.stop(0)


@pytest.mark.parametrize("own_port", [True, False])
async def test_watchers_are_told_of_a_drain_and_do_not_delay_it(engine: Engine, own_port: bool) -> None:
    health_port = free_port()
    server = Server(engine, ServerConfig(port=0, health_port=health_port, grace_s=30))
    address = await server.start()
    watched = f"127.0.0.1:{health_port}" if own_port else address
    async with grpc.aio.insecure_channel(watched) as channel, stub_of(address) as stub:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert (await watch.read()).status == SERVING
        stream = RawStream(stub)
        await stream.open()
        stopping = asyncio.ensure_future(server.stop())
        assert (await watch.read()).status == NOT_SERVING
        await asyncio.wait_for(stopping, 20)  # and not the 30 s of grace
        watch.cancel()
        stream.call.cancel()


async def test_a_server_that_cannot_start_leaves_no_health_port_open(engine: Engine, address: str) -> None:
    health_port = free_port()
    with pytest.raises(ConfigError, match="must be a free address"):
        await Server(engine, ServerConfig(port=int(address.rpartition(":")[2]), health_port=health_port)).start()
    server = Server(engine, ServerConfig(port=0, health_port=health_port))
    await server.start()
    assert await health_at(health_port) == SERVING
    await server.stop(0)


async def test_a_tls_server_serves_only_health_in_plain_text(start_server: StartServer, tmp_path: Path) -> None:
    port = free_port()
    await start_server(**issue(tmp_path, "ours").server, health_port=port)
    assert await health_at(port) == SERVING
    async with stub_of(f"127.0.0.1:{port}") as stub:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.ListModels(pb.ListModelsRequest())
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_workers_share_a_health_port(model_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setenv("FERSERVE_SERVER_HEALTH_PORT", str(port))
    with ServerProcess([*serve_command(model_dir), "--workers", "2"]):
        assert {await health_at(port) for _ in range(8)} == {SERVING}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_taken_health_port_is_reported_in_one_line(
    workers: int, model_dir: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FERSERVE_SERVER_HEALTH_PORT", address.rpartition(":")[2])
    done = subprocess.run(
        [*serve_command(model_dir), "--workers", str(workers)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert f"server.host and server.health_port must be a free address of this machine, got {address}" in done.stderr


def test_the_health_port_must_differ_from_the_servers() -> None:
    with pytest.raises(ConfigError, match=r"server\.health_port must be .* other than server\.port, got 50051"):
        ServerConfig(health_port=50051)
