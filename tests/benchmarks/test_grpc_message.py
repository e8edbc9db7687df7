"""What a stream message costs: a bare gRPC echo on each loop and transport, our server, and our cheap client.

``pytest tests/benchmarks/test_grpc_message.py --benchmark-enable --benchmark-only --benchmark-group-by=group``; one
frame's worth of bytes goes there and a result's worth comes back, one at a time, between two processes. Keep and
compare the ratios within a group.
"""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import grpc
import pytest

from ferserve.bench.call import Call
from ferserve.bench.messages import config_request, crop_bodies, frame_request
from ferserve.bench.poller import Poller
from ferserve.bench.target import Target, open_target
from ferserve.config import Config, EngineConfig, ServerConfig
from ferserve.v1 import emotion_pb2 as pb
from tests.benchmarks.exchange import exchange_with
from tests.tiny_models import brightness_spec, write_brightness_model

FRAME = bytes(range(250)) * 180
RESULT = bytes(range(250))
METHOD = "/bare.Echo/Stream"


def serve_echo(address: str, loop: str, ready: Connection) -> None:
    """Answer every message by ``RESULT``, until killed."""
    if loop == "uvloop":
        import uvloop

        uvloop.install()
    asyncio.run(_serve_echo(address, ready))


async def _serve_echo(address: str, ready: Connection) -> None:
    async def echo(_: Any, context: Any) -> None:
        while await context.read() is not grpc.aio.EOF:
            await context.write(RESULT)

    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    handler = grpc.method_handlers_generic_handler("bare.Echo", {"Stream": grpc.stream_stream_rpc_method_handler(echo)})
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port(address)
    await server.start()
    ready.send(address if address.startswith("unix:") else f"127.0.0.1:{port}")
    await server.wait_for_termination()


@pytest.fixture(params=["tcp", "uds"])
def transport(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address to listen on."""
    return "127.0.0.1:0" if request.param == "tcp" else f"unix:{tmp_path}/echo"


@pytest.fixture(params=["asyncio", "uvloop"])
def echo(request: pytest.FixtureRequest, transport: str) -> Iterator[str]:
    """The address of an echo in another process."""
    if request.param == "uvloop":
        pytest.importorskip("uvloop", reason="needs `pip install ferserve[fast]`")
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve_echo, args=(transport, request.param, theirs), daemon=True)
    process.start()
    yield ours.recv()
    process.kill()
    process.join()


@pytest.mark.benchmark(group="bare echo, bench client")
def test_echo_to_the_bench_client(benchmark: Any, echo: str) -> None:
    answers: list[bytes] = []
    with Poller() as poller:
        call = Call(echo, METHOD)
        poller.add(call, answers.append)
        exchange = exchange_with(call, poller, answers)
        assert exchange(FRAME) == RESULT
        benchmark(exchange, FRAME)


@pytest.mark.benchmark(group="bare echo, grpc.aio client")
def test_echo_to_grpc_aio(benchmark: Any, echo: str) -> None:
    async def open_call() -> tuple[grpc.aio.Channel, Any]:
        channel = grpc.aio.insecure_channel(echo)
        return channel, channel.stream_stream(METHOD)()

    async def exchange() -> bytes:
        await call.write(FRAME)
        return await call.read()

    with asyncio.Runner() if hasattr(asyncio, "Runner") else pytest.skip("needs Python 3.11") as runner:
        channel, call = runner.run(open_call())
        assert runner.run(exchange()) == RESULT
        benchmark(lambda: runner.run(exchange()))
        call.cancel()
        runner.run(channel.close())
        runner.run(asyncio.sleep(0.1))  # grpc.aio still has events for this loop


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Target]:
    """Our server with a model that costs next to nothing."""
    model = write_brightness_model(tmp_path / "brightness.onnx", brightness_spec("brightness", side=48))
    engine = EngineConfig(model=str(model), detector="none", threads=1, max_batch_size=1)
    with open_target("", Config(engine=engine, server=ServerConfig(port=0))) as target:
        yield target


@pytest.mark.benchmark(group="one crop, bench client")
def test_our_server_with_one_crop(benchmark: Any, server: Target) -> None:
    """All of the server but decoding and a real model: what is above the bare echo is ours."""
    (body,) = crop_bodies([bytes(48 * 48)], 48, 1)
    ids = iter(range(1, 10**9))
    answers: list[bytes] = []
    with Poller() as poller:
        call = Call(server.address, "/ferserve.v1.EmotionService/ClassifyStream")
        poller.add(call, answers.append)
        exchange = exchange_with(call, poller, answers)
        assert pb.ClassifyStreamResponse.FromString(exchange(config_request(model="", delivery="every"))).HasField(
            "started"
        )
        last = benchmark(lambda: exchange(*frame_request(next(ids), 0, body)))
    assert len(pb.ClassifyStreamResponse.FromString(last).result.faces.faces) == 1
