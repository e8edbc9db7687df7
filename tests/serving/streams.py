"""The generated stub, and one ``ClassifyStream`` message by message."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc

from ferserve.v1 import emotion_pb2 as pb
from ferserve.v1 import emotion_pb2_grpc
from tests import builders


@asynccontextmanager
async def stub_of(address: str) -> AsyncIterator[emotion_pb2_grpc.EmotionServiceStub]:
    """The generated stub, on a channel of its own."""
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1)]
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        yield emotion_pb2_grpc.EmotionServiceStub(channel)


class RawStream:
    """One ``ClassifyStream``, message by message."""

    def __init__(self, stub: emotion_pb2_grpc.EmotionServiceStub, *metadata: tuple[str, str]) -> None:
        self.call = stub.ClassifyStream(metadata=metadata)
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
