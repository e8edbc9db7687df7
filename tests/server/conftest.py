"""A real server on a free port, and a plain gRPC stub that talks to it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import grpc
import pytest

import ferserve
from ferserve.config import EngineConfig, ServerConfig
from ferserve.engine import Engine
from ferserve.server import Server
from ferserve.v1 import emotion_pb2 as pb
from ferserve.v1 import emotion_pb2_grpc
from tests import builders
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


@asynccontextmanager
async def stub_of(address: str) -> AsyncIterator[emotion_pb2_grpc.EmotionServiceStub]:
    """The generated stub, on a channel of its own."""
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1)]
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        yield emotion_pb2_grpc.EmotionServiceStub(channel)


@pytest.fixture
async def stub(address: str) -> AsyncIterator[emotion_pb2_grpc.EmotionServiceStub]:
    async with stub_of(address) as stub:
        yield stub


class RawStream:
    """One ``ClassifyStream``, message by message."""

    def __init__(self, stub: emotion_pb2_grpc.EmotionServiceStub) -> None:
        self.call = stub.ClassifyStream()
        self.sent = 0

    async def open(self, **config: Any) -> pb.StreamStarted:
        await self.call.write(pb.ClassifyStreamRequest(config=pb.StreamConfig(**config)))
        return (await self.call.read()).started

    async def send(self, frame_id: int, **frame: Any) -> None:
        frame = frame or {"encoded": astronaut_jpeg()}
        await self.call.write(pb.ClassifyStreamRequest(frame=pb.Frame(frame_id=frame_id, **frame)))

    async def send_all(self, frames: dict[int, dict[str, Any]]) -> None:
        """Send frames by their ids."""
        for frame_id, frame in frames.items():
            await self.send(frame_id, **frame)
            self.sent = frame_id

    async def get_stuck(self) -> int:
        """Wait until no frame was taken for half a second; returns the last one that was."""
        seen, still = -1, 0
        while still < 5:
            still = still + 1 if self.sent == seen else 0
            seen = self.sent
            await asyncio.sleep(0.1)
        return seen

    async def exchange(self, frames: dict[int, dict[str, Any]]) -> list[pb.FrameResult]:
        """Send frames by their ids, reading the answers at the same time."""

        sender = asyncio.ensure_future(self.send_all(frames))
        results = [await self.receive() for _ in frames]
        await sender
        return results

    async def receive(self) -> pb.FrameResult:
        response = await self.call.read()
        assert response is not grpc.aio.EOF, "the stream ended before its answer came"
        return response.result

    async def finish(self) -> None:
        """Half-close, and see the stream end well with nothing more in it."""
        await self.call.done_writing()
        assert await self.call.read() is grpc.aio.EOF
        assert await self.call.code() is grpc.StatusCode.OK


def many_faces() -> dict[str, Any]:
    """A small frame with an answer of several KiB; some 1,500 of them fill what gRPC holds for a client that does
    not read."""
    raw = pb.RawImage(format=pb.PIXEL_FORMAT_GRAY8, width=64, height=64, data=bytes(4096))
    return {"raw": raw, "boxes": pb.Boxes(boxes=[pb.Box(x1=50, y1=50)] * 60)}


def astronaut_jpeg() -> bytes:
    return builders.jpeg(builders.astronaut())


@pytest.fixture
def raw_stream(stub: emotion_pb2_grpc.EmotionServiceStub) -> Iterator[RawStream]:
    stream = RawStream(stub)
    yield stream
    stream.call.cancel()
