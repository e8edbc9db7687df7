"""A client's stream that fails to send for a reason within the client."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from ferserve.client.connector import StreamConnector
from ferserve.client.feed import open_feed
from ferserve.client.reconnecting_stream import ReconnectingStream
from ferserve.client.servers import Servers
from ferserve.sources.iterables import FrameMaker
from ferserve.types import Frame, FrameResult
from ferserve.v1 import emotion_pb2 as pb


class _ShortOfMemory(StreamConnector):
    """Its calls carry a config and no frame."""

    def open_call(self) -> Any:
        call = super().open_call()
        write = call.write

        async def write_config(message: pb.ClassifyStreamRequest) -> None:
            if message.HasField("frame"):
                raise MemoryError("for the message")
            await write(message)

        call.write = write_config
        return call


def _message(frame: Frame | FrameResult) -> pb.ClassifyStreamRequest:
    return pb.ClassifyStreamRequest(frame=pb.Frame(frame_id=frame.frame_id))


async def test_a_stream_that_cannot_send_says_why(address: str) -> None:
    async with contextlib.aclosing(Servers([address])) as servers:
        feed, _ = await open_feed([b"one", b"two"], FrameMaker(fps=30), _message, 8)
        connector = _ShortOfMemory(servers, 30)
        session = ReconnectingStream(connector, feed, pb.StreamConfig(), lambda model: None, lambda result: None)
        with pytest.raises(MemoryError, match="for the message"):
            await asyncio.wait_for(session.run(), 30)
