"""A drain while a stream starts; over the network, one run in a hundred would hit that moment."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ferserve.engine import Engine
from ferserve.errors import ModelNotReadyError
from ferserve.server.bridge import LoopBridge
from ferserve.server.emotion.stream import StreamSession
from ferserve.v1 import emotion_pb2 as pb
from ferserve.wire.pixels import Pixels


class _Context:
    """A client that sends its config and no frame; the server is told to drain while it writes the first answer."""

    def __init__(self) -> None:
        self.session: StreamSession
        self.pixels = Pixels()
        self._read = 0

    def peer(self) -> str:
        return "ipv4:127.0.0.1:1"

    async def read(self) -> pb.ClassifyStreamRequest:
        self._read += 1
        if self._read > 1:
            await asyncio.Event().wait()
        return pb.ClassifyStreamRequest(config=pb.StreamConfig())

    async def write(self, message: Any) -> None:
        assert message.HasField("started")
        self.session.drain()


async def test_a_drain_while_the_stream_is_being_started_ends_it(engine: Engine) -> None:
    context = _Context()
    context.session = StreamSession(engine, LoopBridge(asyncio.get_running_loop()), context, 4)
    with pytest.raises(ModelNotReadyError, match="got shutting down"):
        await asyncio.wait_for(context.session.run(), 10)
