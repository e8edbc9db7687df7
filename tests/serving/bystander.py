"""A well-behaved stream beside a misbehaving one, and what the server's process holds meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import grpc
import psutil

from ferserve.v1 import emotion_pb2 as pb
from tests.serving.streams import RawStream, astronaut_jpeg, stub_of

_PERIOD_S = 0.05
FACE = pb.Boxes(boxes=[pb.Box(x0=169, y0=68, x1=274, y1=178)])


class Bystander:
    """Ids of the frames that were sent and of those that were answered by one face."""

    def __init__(self) -> None:
        self.sent: list[int] = []
        self.answered: list[int] = []


@contextlib.asynccontextmanager
async def bystander(address: str) -> AsyncIterator[Bystander]:
    """Twenty frames per second, each of which must be answered once, in order, by its face, while the context lasts."""
    seen = Bystander()
    async with stub_of(address) as stub:
        stream = RawStream(stub)
        await stream.open(delivery=pb.DELIVERY_EVERY)
        reader = asyncio.ensure_future(_read(stream, seen))
        sender = asyncio.ensure_future(_send(stream, seen))
        try:
            yield seen
        finally:
            sender.cancel()
            await asyncio.wait((sender,))
            await stream.call.done_writing()
            await reader
    assert seen.sent
    assert seen.answered == seen.sent


async def _send(stream: RawStream, seen: Bystander) -> None:
    while True:
        frame_id = len(seen.sent) + 1
        seen.sent.append(frame_id)
        await asyncio.shield(stream.send(frame_id, encoded=astronaut_jpeg(), boxes=FACE))
        await asyncio.sleep(_PERIOD_S)


async def _read(stream: RawStream, seen: Bystander) -> None:
    while (response := await stream.call.read()) is not grpc.aio.EOF:
        assert len(response.result.faces.faces) == 1, response.result
        seen.answered.append(response.result.frame_id)


class Footprint:
    """Memory, open files and threads of a server's process."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self.rss_mb = self._process.memory_info().rss / 1e6
        self.files = self._process.num_fds()
        self.threads = self._process.num_threads()

    @classmethod
    async def settled(cls, pid: int, *, files: int | None = None, threads: int | None = None) -> Footprint:
        """The footprint once nothing is under way any more: open files are down to ``files``, or no longer change.

        Given ``threads``, idle threads of gRPC's pool get ten seconds to end as well; the caller judges them.
        """
        before = cls(pid)
        for _ in range(100):
            await asyncio.sleep(0.1)
            now = cls(pid)
            calm = threads is None or now.threads <= threads
            if (now.files <= files if files is not None else now.files == before.files) and calm:
                return now
            before = now
        if now.files <= (before.files if files is None else files):
            return now
        raise AssertionError(f"{now.files} files are still open, {files} were before")
