"""Fixtures: a real server on a free port, a client, and a plain gRPC stub. A plugin of tests/conftest.py."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

import pytest

import ferserve
from ferserve.config import EngineConfig, ServerConfig
from ferserve.engine import Engine
from ferserve.server import Server
from ferserve.v1 import emotion_pb2_grpc
from tests.serving.streams import RawStream, stub_of
from tests.tiny_models import brightness_spec, write_brightness_model

StartServer = Callable[..., Awaitable[str]]
T = TypeVar("T")


@pytest.fixture(scope="session")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models whose answers are known: ``brightness`` and ``other``."""
    folder = tmp_path_factory.mktemp("models")
    write_brightness_model(folder / "brightness.onnx")
    write_brightness_model(folder / "other.onnx", brightness_spec("other"))
    return folder


@pytest.fixture(scope="session")
def engine_config(model_dir: Path) -> EngineConfig:
    return EngineConfig(model="brightness", model_dir=str(model_dir), threads=2)


@pytest.fixture(scope="session")
def engine(engine_config: EngineConfig) -> Iterator[Engine]:
    with Engine(engine_config) as engine:
        yield engine


@pytest.fixture
async def start_server(engine: Engine) -> AsyncIterator[StartServer]:
    """Starts servers on the shared engine, or on another one; they stop with the test."""
    async with AsyncExitStack() as stack:

        async def start(engine: Any = engine, **settings: Any) -> str:
            server = Server(engine, ServerConfig(port=0, **settings))
            address = await server.start()
            stack.push_async_callback(server.stop, 0)
            return address

        yield start


@pytest.fixture
async def address(start_server: StartServer) -> str:
    """HOST:PORT of a server with the default limits."""
    return await start_server()


@pytest.fixture(scope="module")
def served(engine: Engine) -> Iterator[str]:
    """The address of a server that runs in a thread, for blocking clients."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def run(awaitable: Awaitable[T]) -> T:
        async def wait() -> T:
            return await awaitable

        return asyncio.run_coroutine_threadsafe(wait(), loop).result()

    server = Server(engine, ServerConfig(port=0, max_message_bytes=3_000_000))
    yield run(server.start())
    run(server.stop(0))
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def client(served: str) -> Iterator[ferserve.Client]:
    with ferserve.Client(served) as client:
        yield client


@pytest.fixture
async def stub(address: str) -> AsyncIterator[emotion_pb2_grpc.EmotionServiceStub]:
    async with stub_of(address) as stub:
        yield stub


@pytest.fixture
def raw_stream(stub: emotion_pb2_grpc.EmotionServiceStub) -> Iterator[RawStream]:
    stream = RawStream(stub)
    yield stream
    stream.call.cancel()
