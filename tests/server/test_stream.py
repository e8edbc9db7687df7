"""The grammar of ``ClassifyStream``, on the wire."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from ferserve.errors import KIND_KEY
from ferserve.v1 import emotion_pb2 as pb
from ferserve.wire.metadata import as_dict
from tests import builders
from tests.serving.bad_frames import BAD_FRAMES
from tests.serving.fixtures import StartServer
from tests.serving.streams import RawStream, many_faces, stub_of


async def _fails(call: Any) -> tuple[grpc.StatusCode, str, str]:
    """Code, details and kind of the error that ends ``call``; skips the answers before it."""
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await _read_to_the_end(call)
    error = failure.value
    return error.code(), error.details(), as_dict(error.trailing_metadata()).get(KIND_KEY)


async def _read_to_the_end(call: Any) -> None:
    while await call.read() is not grpc.aio.EOF:
        pass


async def test_started_reports_the_settings_in_force(raw_stream: RawStream) -> None:
    started = await raw_stream.open(smoothing_ms=123, delivery=pb.DELIVERY_EVERY)
    assert started.model.name == "brightness"
    assert not started.resumed
    assert started.effective.smoothing_ms == 123
    assert started.effective.delivery == pb.DELIVERY_EVERY
    assert started.effective.options.max_faces == 64
    assert started.effective.detection_interval >= 1
    await raw_stream.finish()


async def test_every_frame_is_answered_in_order_with_its_own_id_and_time(raw_stream: RawStream) -> None:
    await raw_stream.open(delivery=pb.DELIVERY_EVERY)
    ids = [1, 2, 5, 1000, 2**40]
    times_ns = [10**18 + i * 33_333_333 for i in range(len(ids))]
    clip = builders.jpeg_clip(len(ids))
    results = await raw_stream.exchange(
        {i: {"encoded": image, "capture_time_ns": at} for i, at, image in zip(ids, times_ns, clip, strict=True)}
    )
    assert [(r.frame_id, r.capture_time_ns) for r in results] == list(zip(ids, times_ns, strict=True))
    assert all(r.WhichOneof("outcome") == "faces" for r in results)
    faces = [r.faces.faces[0] for r in results]
    assert len({face.track_id for face in faces}) == 1
    assert faces[0].track_id > 0
    assert len(faces[-1].heads[0].raw_probabilities) == 2
    await raw_stream.finish()


@pytest.mark.parametrize("name", BAD_FRAMES)
async def test_a_bad_frame_is_answered_by_a_fault_and_the_stream_lives_on(raw_stream: RawStream, name: str) -> None:
    frame, words = BAD_FRAMES[name]
    await raw_stream.open(delivery=pb.DELIVERY_EVERY)
    await raw_stream.send(1, **frame)
    await raw_stream.send(2)
    bad, good = await raw_stream.receive(), await raw_stream.receive()
    assert bad.frame_id == 1
    assert bad.WhichOneof("outcome") == "fault"
    assert bad.fault.code == "invalid_frame"
    assert words in bad.fault.message
    assert good.frame_id == 2
    assert len(good.faces.faces) == 1
    await raw_stream.finish()


async def test_a_frame_before_the_config_ends_the_stream(raw_stream: RawStream) -> None:
    await raw_stream.send(1)
    code, details, kind = await _fails(raw_stream.call)
    assert (code, kind) == (grpc.StatusCode.INVALID_ARGUMENT, "stream_protocol")
    assert details.startswith("the first message must be a config, got frame")


async def test_an_empty_stream_and_an_empty_message_are_told_apart_from_a_config(stub: Any) -> None:
    silent = stub.ClassifyStream()
    await silent.done_writing()
    assert "got the end of the stream" in (await _fails(silent))[1]
    empty = stub.ClassifyStream()
    await empty.write(pb.ClassifyStreamRequest())
    assert "got an empty message" in (await _fails(empty))[1]


async def test_a_second_config_ends_the_stream_after_the_answers_that_are_due(raw_stream: RawStream) -> None:
    await raw_stream.open()
    await raw_stream.send(1)
    await raw_stream.call.write(pb.ClassifyStreamRequest(config=pb.StreamConfig()))
    assert (await raw_stream.receive()).frame_id == 1
    code, details, _ = await _fails(raw_stream.call)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "messages after the config must be frames, got config" in details


@pytest.mark.parametrize("second", [5, 4], ids=["repeated", "falling"])
async def test_ids_that_do_not_rise_end_the_stream_after_the_answers_that_are_due(
    raw_stream: RawStream, second: int
) -> None:
    await raw_stream.open()
    await raw_stream.send(5)
    await raw_stream.send(second)
    assert (await raw_stream.receive()).frame_id == 5
    code, details, kind = await _fails(raw_stream.call)
    assert (code, kind) == (grpc.StatusCode.INVALID_ARGUMENT, "stream_protocol")
    assert f"frame_id must rise within a stream, got {second} after 5" in details


@pytest.mark.parametrize("bad", [0, 1], ids=["bad first", "good first"])
async def test_the_id_of_a_frame_without_payload_counts_too(raw_stream: RawStream, bad: int) -> None:
    frames: list[dict[str, Any]] = [{}, {}]
    frames[bad] = {"capture_time_ns": 1}  # and no payload
    await raw_stream.open(delivery=pb.DELIVERY_EVERY)
    for frame in frames:
        await raw_stream.send(5, **frame)
    assert (await raw_stream.receive()).WhichOneof("outcome") == ("faces" if bad else "fault")
    code, details, _ = await _fails(raw_stream.call)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "frame_id must rise within a stream, got 5 after 5" in details


@pytest.mark.parametrize(
    ("config", "code", "words"),
    [
        ({"options": {"model": "nobody"}}, grpc.StatusCode.NOT_FOUND, "got 'nobody'"),
        ({"smoothing_ms": float("nan")}, grpc.StatusCode.INVALID_ARGUMENT, "smoothing_ms must be from 0 to 60000"),
        ({"delivery": 9}, grpc.StatusCode.INVALID_ARGUMENT, "delivery must be one of LATEST, EVERY, got number 9"),
        ({"priority": 9}, grpc.StatusCode.INVALID_ARGUMENT, "priority must be one of"),
        ({"stream_id": "x" * 129}, grpc.StatusCode.INVALID_ARGUMENT, "stream_id must be at most 128 characters"),
    ],
)
async def test_an_invalid_config_ends_the_stream(
    stub: Any, config: dict[str, Any], code: grpc.StatusCode, words: str
) -> None:
    call = stub.ClassifyStream()
    await call.write(pb.ClassifyStreamRequest(config=pb.StreamConfig(**config)))
    failed = await _fails(call)
    assert failed[0] is code
    assert words in failed[1]


async def test_the_newest_frame_wins_and_the_others_are_told_so(raw_stream: RawStream) -> None:
    await raw_stream.open(delivery=pb.DELIVERY_LATEST)
    count = 40
    for frame_id in range(1, count + 1):
        await raw_stream.send(frame_id)
    results = [await raw_stream.receive() for _ in range(count)]
    assert [r.frame_id for r in results] == list(range(1, count + 1))
    outcomes = [r.WhichOneof("outcome") for r in results]
    assert outcomes[-1] == "faces"
    dropped = [r for r in results if r.WhichOneof("outcome") == "dropped"]
    assert dropped, "forty frames at once must be more than the engine can take"
    assert {r.dropped.reason for r in dropped} == {pb.Dropped.REASON_SUPERSEDED}
    await raw_stream.finish()


async def test_no_frame_is_dropped_if_every_one_counts(raw_stream: RawStream) -> None:
    await raw_stream.open(delivery=pb.DELIVERY_EVERY)
    results = await raw_stream.exchange({frame_id: {} for frame_id in range(1, 41)})
    assert {r.WhichOneof("outcome") for r in results} == {"faces"}
    await raw_stream.finish()


async def test_frames_past_their_deadline_are_dropped(raw_stream: RawStream) -> None:
    await raw_stream.open(delivery=pb.DELIVERY_EVERY, frame_deadline_ms=1)
    for frame_id in range(1, 21):
        await raw_stream.send(frame_id)
    results = [await raw_stream.receive() for _ in range(20)]
    reasons = [r.dropped.reason for r in results if r.WhichOneof("outcome") == "dropped"]
    assert pb.Dropped.REASON_DEADLINE in reasons
    await raw_stream.finish()


async def test_a_reopened_stream_keeps_its_tracks_and_its_count(stub: Any) -> None:
    first = RawStream(stub)
    opened = await first.open(stream_id="camera-1")
    assert not opened.resumed
    token = opened.resume_token
    await first.send(11)
    before = (await first.receive()).faces.faces[0].track_id
    await first.finish()
    second = RawStream(stub)
    started = await second.open(stream_id="camera-1", resume_token=token)
    assert started.resumed
    assert started.resume_token == token
    assert started.last_frame_id == 11
    await second.send(11)  # its answer may have been lost with the connection
    assert (await second.receive()).faces.faces[0].track_id == before
    await second.finish()


async def test_a_client_that_hangs_up_leaves_the_server_as_it_was(address: str, stub: Any) -> None:
    for _ in range(5):
        async with stub_of(address) as rude:
            stream = RawStream(rude)
            await stream.open(delivery=pb.DELIVERY_EVERY)
            for frame_id in range(1, 4):
                await stream.send(frame_id)
            stream.call.cancel()
    polite = RawStream(stub)
    await polite.open()
    await polite.send(1)
    assert len((await polite.receive()).faces.faces) == 1
    await polite.finish()


async def test_two_clients_at_once_each_get_their_own_answers(address: str) -> None:
    async def client(first_id: int, shade: int) -> list[pb.FrameResult]:
        async with stub_of(address) as stub:
            stream = RawStream(stub)
            await stream.open(delivery=pb.DELIVERY_EVERY, smoothing_ms=0)
            raw = pb.RawImage(format=pb.PIXEL_FORMAT_GRAY8, width=64, height=64, data=bytes([shade]) * 4096)
            boxes = pb.Boxes(boxes=[pb.Box(x0=8, y0=8, x1=56, y1=56)])
            results = await stream.exchange({first_id + i: {"raw": raw, "boxes": boxes} for i in range(50)})
            await stream.finish()
            return results

    dark, bright = await asyncio.gather(client(100, 20), client(5000, 230))
    assert [r.frame_id for r in dark] == list(range(100, 150))
    assert [r.frame_id for r in bright] == list(range(5000, 5050))
    assert {r.faces.faces[0].heads[0].label for r in dark} == {"dark"}
    assert {r.faces.faces[0].heads[0].label for r in bright} == {"bright"}


async def test_a_client_that_does_not_read_is_held_back(start_server: StartServer) -> None:
    async with stub_of(await start_server(max_pending_results=8)) as stub:
        stream = RawStream(stub)
        await stream.open(delivery=pb.DELIVERY_EVERY)
        sender = asyncio.ensure_future(stream.send_all({i: many_faces() for i in range(1, 8001)}))
        stuck = await stream.get_stuck()
        assert stuck < 8000, "every frame was taken from a client that reads no answer"
        assert [(await stream.receive()).frame_id for _ in range(stuck)] == list(range(1, stuck + 1))
        assert stream.sent > stuck, "reading the answers must let frames flow again"
        sender.cancel()
        stream.call.cancel()
