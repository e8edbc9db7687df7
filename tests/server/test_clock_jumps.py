"""A clock that is set while a server works: answers and their times go on, since durations are monotonic."""

from __future__ import annotations

import time

import pytest

from ferserve.v1 import emotion_pb2 as pb
from tests.serving.streams import RawStream, astronaut_jpeg, stub_of

DAY_NS = 86_400 * 10**9


@pytest.mark.parametrize("jump_ns", [DAY_NS, -DAY_NS], ids=["ahead", "back"])
async def test_streams_and_calls_go_on(address: str, monkeypatch: pytest.MonkeyPatch, jump_ns: int) -> None:
    async with stub_of(address) as stub:
        stream = RawStream(stub)
        await stream.open(stream_id="camera")
        await stream.send(1)
        before = await stream.receive()
        real_ns, real_s = time.time_ns, time.time
        monkeypatch.setattr(time, "time_ns", lambda: real_ns() + jump_ns)
        monkeypatch.setattr(time, "time", lambda: real_s() + jump_ns / 1e9)
        await stream.send(2)
        after = await stream.receive()
        single = await stub.Classify(pb.ClassifyRequest(frame=pb.Frame(encoded=astronaut_jpeg())))
    assert [face.track_id for face in after.faces.faces] == [face.track_id for face in before.faces.faces]
    for result in (after, single.result):
        assert 0 < result.timings.total_ms < 60_000
        assert 0 <= result.timings.queue_ms < 60_000
