"""Sequences of requests as streams of frames."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import numpy as np
import pytest

from ferserve.config import ServerConfig
from ferserve.engine import Engine
from ferserve.errors import FerserveError
from ferserve.inference import service_pb2 as pb
from ferserve.inference import service_pb2_grpc
from ferserve.scheduling.caller import Caller
from ferserve.server import Server
from ferserve.server.inference.door import CallScope
from ferserve.server.inference.sequences import Sequences
from ferserve.wire.inference.parameters import SequenceControl
from tests.server.inference.conftest import Requests, arrays
from tests.serving.fixtures import StartServer
from tests.serving.streams import astronaut_jpeg

START, END = {"sequence_start": True}, {"sequence_end": True}


@asynccontextmanager
async def connection(address: str) -> AsyncIterator[service_pb2_grpc.GRPCInferenceServiceStub]:
    """A client with a connection of its own."""
    async with grpc.aio.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        yield service_pb2_grpc.GRPCInferenceServiceStub(channel)


async def _send(stub: Any, number: int | str, image: bytes | None = None, **flags: Any) -> list[int]:
    """The track ids in the answer to one request of a sequence."""
    request = Requests.images(image or astronaut_jpeg(), sequence_id=number, **flags)
    return arrays(await stub.ModelInfer(request, timeout=20))["track_ids"].tolist()


async def _refused(stub: Any, number: Any, words: str, **flags: Any) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await _send(stub, number, **flags)
    assert failure.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert words in failure.value.details()


@pytest.mark.parametrize("number", [7, -1, 2**63 - 1, "camera", "7"])
async def test_a_sequence_keeps_its_tracks_until_it_ends(inference: Any, number: int | str) -> None:
    for flags in (START, {}, {}, END):
        assert await _send(inference, number, **flags) == [1]
    assert await _send(inference, number, **START, **END) == [1]
    await _refused(inference, number, "sequence_id must be one that is open")


async def test_numbers_and_text_are_different_ids(inference: Any) -> None:
    await _send(inference, 7, **START)
    await _refused(inference, "7", "sequence_id must be one that is open, got '7'")
    await _send(inference, 7, **END)


async def test_flags_and_ids_that_fit_nothing(inference: Any) -> None:
    await _refused(inference, 0, "sequence_id must be an integer other than 0", **START)
    await _refused(inference, "", "sequence_id must be an integer other than 0", **END)
    await _refused(inference, True, "sequence_id must be an integer or a string, got True", **START)
    await _refused(inference, 1.5, "sequence_id must be an integer or a string, got 1.5", **START)
    await _refused(inference, "x" * 129, "sequence_id must have at most 128 characters", **START)
    await _refused(inference, 3, "sequence_start must be true or false, got 1", sequence_start=1)
    await _refused(inference, 3, "sequence_id must be one that is open, got 3")
    await _refused(inference, 3, "sequence_id must be one that is open, got 3", **END)


async def test_an_end_ends_even_if_its_frame_is_bad_and_comes_once(inference: Any) -> None:
    await _send(inference, 8, **START)
    await _refused(inference, 8, "encoded must be", image=b"no picture")
    assert await _send(inference, 8) == [1]
    await _refused(inference, 8, "encoded must be", image=b"no picture", **END)
    await _refused(inference, 8, "sequence_id must be one that is open", **END)


async def test_options_belong_to_the_start(inference: Any) -> None:
    await _refused(inference, 9, "smoothing_ms must be from 0 to 60000 ms", smoothing_ms=-1.0, **START)
    await _refused(inference, 9, "sequence_id must be one that is open")
    await _refused(inference, 9, "delivery must be one of latest, every, got 'all'", delivery="all", **START)
    await _send(inference, 9, smoothing_ms=100, delivery="latest", priority=1, min_score=0.5, **START)
    await _refused(inference, 9, "smoothing_ms must come with sequence_start", smoothing_ms=100)
    assert await _send(inference, 9, capture_time_ns=10**9, neutral=True) == [1]
    with pytest.raises(grpc.aio.AioRpcError, match="images must hold one image in a sequence, got 2"):
        await inference.ModelInfer(Requests.images(b"x", b"x", sequence_id=9))
    await _send(inference, 9, **END)


async def test_another_start_on_the_same_connection_begins_anew(inference: Any) -> None:
    await _send(inference, 10, **START)
    assert await _send(inference, 10, min_score=1.0, **START) == [], "the option of the second start counts"
    await _send(inference, 10, **END)


async def test_two_clients_with_one_id_do_not_see_each_other(address: str) -> None:
    async with connection(address) as one, connection(address) as two:
        await _send(one, 11, **START)
        await _refused(two, 11, "sequence_id must be one that no other connection uses, got 11", **START)
        await _refused(two, 11, "sequence_id must be one of this connection, got 11")
        await _refused(two, 11, "sequence_id must be one of this connection, got 11", **END)
        assert await _send(one, 11, **END) == [1]
        assert await _send(two, 11, **START, **END) == [1]


async def test_every_stream_has_ids_of_its_own_and_closes_what_it_opened(start_server: StartServer) -> None:
    async with connection(await start_server(max_streams_per_client=1)) as stub:
        first, second = stub.ModelStreamInfer(), stub.ModelStreamInfer()
        await first.write(Requests.images(astronaut_jpeg(), sequence_id=1, sequence_start=True))
        assert (await first.read()).infer_response.outputs
        await second.write(Requests.images(astronaut_jpeg(), sequence_id=1))
        assert "sequence_id must be one that is open" in (await second.read()).error_message
        await second.write(Requests.images(astronaut_jpeg(), sequence_id=1, sequence_start=True))
        assert "open sequences per client must be at most 1" in (await second.read()).error_message
        await first.done_writing()
        assert await first.read() is grpc.aio.EOF
        await second.write(Requests.images(astronaut_jpeg(), sequence_id=1, sequence_start=True))
        assert (await second.read()).infer_response.outputs
        await second.done_writing()
        assert await second.read() is grpc.aio.EOF


async def test_open_streams_of_requests_end_with_the_server(engine: Engine, start_server: StartServer) -> None:
    server = Server(engine, ServerConfig(port=0, grace_s=5))
    async with connection(await server.start()) as stub:
        stream = stub.ModelStreamInfer()
        await stream.write(Requests.images(astronaut_jpeg(), sequence_id=1, sequence_start=True))
        assert (await stream.read()).infer_response.outputs
        await server.stop()
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await stream.read()
    assert failure.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_sequence_that_nobody_continues_is_closed(engine: Engine) -> None:
    sequences = Sequences(ServerConfig(), idle_s=0.01)
    scope = CallScope(Caller("camera"), "ipv4:1.2.3.4:5", "camera")
    with sequences.request("m", SequenceControl(1, True, False), scope, engine.open_stream) as sequence:
        await asyncio.sleep(0.05)
        assert len(sequences) == 1, "one that works is not idle"
    for _ in range(1000):
        await asyncio.sleep(0.01)
        if not len(sequences):
            break
    assert not sequence.is_open
    with (
        pytest.raises(FerserveError, match="was idle for"),
        sequences.request("m", SequenceControl(1, False, False), scope, engine.open_stream),
    ):
        pass


async def test_a_streams_requests_are_answered_in_their_order(inference: Any) -> None:
    """Whatever each of them asks for, and however long it takes."""
    stream = inference.ModelStreamInfer()
    row = np.zeros((1, 1, 8, 8), np.float32)
    for number in range(40):
        request = Requests.images(astronaut_jpeg()) if number % 3 else Requests.tensor(row)
        request.id = str(number)
        await stream.write(request)
    await stream.done_writing()
    answers = [answer async for answer in stream]
    assert [answer.infer_response.id for answer in answers] == [str(number) for number in range(40)]
    assert all(answer.infer_response.parameters["triton_final_response"].bool_param for answer in answers)
    assert isinstance(answers[0], pb.ModelStreamInferResponse)
