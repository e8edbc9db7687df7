"""A server counts each outcome once: refused calls, and answers with and without the engine."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest

from ferserve.config import EngineConfig, ServerConfig
from ferserve.engine import Engine
from ferserve.server import Server
from ferserve.v1 import emotion_pb2 as pb
from tests.counting import Counting
from tests.serving.streams import RawStream, astronaut_jpeg, stub_of

GREY = pb.RawImage(format=pb.PIXEL_FORMAT_GRAY8, width=8, height=8, data=bytes(64))
UNDECODABLE = {"encoded": b"no image"}
NO_PAYLOAD = {"capture_time_ns": 1}


@pytest.fixture
def metrics() -> Counting:
    return Counting()


@pytest.fixture
async def counted(engine_config: EngineConfig, metrics: Counting) -> AsyncIterator[str]:
    """The address of a server with one stream per client, whose engine and services count in ``metrics``."""
    with Engine(engine_config, metrics) as engine:
        server = Server(engine, ServerConfig(port=0, max_streams_per_client=1))
        address = await server.start()
        metrics.results.clear()
        yield address
        await server.stop(0)


def _answers(metrics: Counting) -> Counter[str]:
    return Counter(result.fault.code if result.fault else "answered" for result in metrics.results)


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        (pb.ClassifyRequest(frame=pb.Frame(**NO_PAYLOAD)), "invalid_frame"),
        (pb.ClassifyRequest(frame=pb.Frame(**UNDECODABLE)), "invalid_frame"),
        (pb.ClassifyRequest(options=pb.ClassifyOptions(min_score=2), frame=pb.Frame(raw=GREY)), "invalid_options"),
        (pb.ClassifyRequest(options=pb.ClassifyOptions(model="no"), frame=pb.Frame(raw=GREY)), "model_not_found"),
    ],
    ids=["no payload", "undecodable", "options", "model"],
)
async def test_a_refused_call_counts_once(
    counted: str, metrics: Counting, request_: pb.ClassifyRequest, kind: str
) -> None:
    async with stub_of(counted) as stub:
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.Classify(request_)
    assert metrics.refused == [kind]


@pytest.mark.parametrize("method", ["Classify", "GetModel", "ListModels"])
async def test_a_call_of_garbled_bytes_is_refused_and_counts_once(
    counted: str, metrics: Counting, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with grpc.aio.insecure_channel(counted) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await channel.unary_unary(f"/ferserve.v1.EmotionService/{method}")(b"\xff\xff\xff")
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "must be protobuf of its type" in refused.value.details()
    assert metrics.refused == ["stream_protocol"]
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_an_answered_call_is_not_refused(counted: str, metrics: Counting) -> None:
    async with stub_of(counted) as stub:
        await stub.Classify(pb.ClassifyRequest(frame=pb.Frame(encoded=astronaut_jpeg())))
        await stub.ListModels(pb.ListModelsRequest())
    assert (metrics.refused, _answers(metrics)) == ([], {"answered": 1})


async def _send_config(stream: Any, **config: Any) -> None:
    await stream.write(pb.ClassifyStreamRequest(config=pb.StreamConfig(**config)))


async def _send_frame(stream: Any) -> None:
    await stream.write(pb.ClassifyStreamRequest(frame=pb.Frame(raw=GREY)))


@pytest.mark.parametrize(
    ("send", "kind"),
    [
        (lambda stream: _send_config(stream, priority=77), "invalid_options"),
        (lambda stream: _send_config(stream, options=pb.ClassifyOptions(model="no")), "model_not_found"),
        (_send_frame, "stream_protocol"),
    ],
    ids=["options", "model", "no config"],
)
async def test_a_refused_stream_counts_once(
    counted: str, metrics: Counting, send: Callable[[Any], Any], kind: str
) -> None:
    async with stub_of(counted) as stub:
        stream = stub.ClassifyStream()
        await send(stream)
        with pytest.raises(grpc.aio.AioRpcError):
            await stream.read()
    assert (metrics.refused, metrics.opened, metrics.results) == ([kind], [], [])


async def test_one_stream_too_many_counts_once(counted: str, metrics: Counting) -> None:
    async with stub_of(counted) as stub:
        first = RawStream(stub)
        await first.open()
        second = stub.ClassifyStream()
        await _send_config(second)
        with pytest.raises(grpc.aio.AioRpcError):
            await second.read()
        await first.finish()
    assert metrics.refused == ["overloaded"]
    assert metrics.limits == ["server.max_streams_per_client"]
    assert (metrics.opened, metrics.closed) == ([False], 1)


async def test_every_frame_of_a_stream_counts_once_with_and_without_the_engine(counted: str, metrics: Counting) -> None:
    frames = {1: NO_PAYLOAD, 2: UNDECODABLE, 3: {"raw": GREY, "boxes": pb.Boxes()}, 4: NO_PAYLOAD}
    async with stub_of(counted) as stub:
        stream = RawStream(stub)
        await stream.open(delivery=pb.DELIVERY_EVERY)
        results = await stream.exchange(frames)
        await stream.finish()
    assert sorted(result.frame_id for result in metrics.results) == [1, 2, 3, 4] == [r.frame_id for r in results]
    assert (_answers(metrics), metrics.refused) == ({"invalid_frame": 3, "answered": 1}, [])


async def test_a_stream_that_breaks_the_rules_counts_as_refused(counted: str, metrics: Counting) -> None:
    async with stub_of(counted) as stub:
        stream = RawStream(stub)
        await stream.open(delivery=pb.DELIVERY_EVERY)
        await stream.exchange({5: {"raw": GREY}})
        await stream.send(4, raw=GREY)
        assert await stream.call.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert (metrics.refused, _answers(metrics)) == (["stream_protocol"], {"answered": 1})


async def test_a_client_that_hangs_up_is_not_refused(counted: str, metrics: Counting) -> None:
    async with stub_of(counted) as stub:
        stream = RawStream(stub)
        await stream.open()
        stream.call.cancel()
        for _ in range(1000):
            if metrics.closed:
                break
            await asyncio.sleep(0.01)
    assert (metrics.refused, metrics.opened, metrics.closed) == ([], [False], 1)
