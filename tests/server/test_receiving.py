"""Messages that do not end, that are too many at once, or that are none."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import grpc
import pytest

from ferserve.auth.identity import Identity
from ferserve.config import ServerConfig
from ferserve.errors import KIND_KEY, FrameDeadlineError
from ferserve.server.large_reads import LargeReads
from ferserve.server.meter import Meter, Read
from ferserve.server.receiving import Receiver
from ferserve.server.sockets import Connection
from ferserve.v1 import emotion_pb2 as pb
from ferserve.wire.metadata import as_dict
from tests.fire.rude import CLASSIFY, CLASSIFY_STREAM, RudeConnection, config, message
from tests.serving.fixtures import StartServer
from tests.serving.streams import RawStream, stub_of

SOMEBODY = Identity("somebody", "use")
MIB = 1 << 20
GARBLED = b"\x0a\xff\xff"
SERVICE = "/ferserve.v1.EmotionService/"
HEALTH = "/grpc.health.v1.Health/"
DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED = "4", "8"


@pytest.mark.parametrize(
    "sent",
    [b"", message(bytes(1000))[:-1], message(bytes(1000))[:3]],
    ids=["nothing", "all but the last byte", "half a header"],
)
@pytest.mark.parametrize(
    "method", [CLASSIFY, CLASSIFY_STREAM, f"{SERVICE}GetModel", f"{HEALTH}Check", f"{HEALTH}Watch"]
)
async def test_a_first_message_that_does_not_come_ends_the_call(
    start_server: StartServer, method: str, sent: bytes
) -> None:
    def status(address: str) -> tuple[str, str] | None:
        with RudeConnection(address) as connection:
            stream = connection.open(method)
            connection.send(stream, sent)
            return connection.status(stream, 30)

    code, details = await asyncio.to_thread(status, await start_server(receive_timeout_s=0.05)) or ("", "")
    assert code == DEADLINE_EXCEEDED
    assert details.startswith("the first message of a call must arrive within 0.05 s (server.receive_timeout_s), got")


class _Silent:
    """gRPC's context of a call that sends ``messages`` and then nothing."""

    def __init__(self, *messages: bytes) -> None:
        self._messages = list(messages)
        self.write = None

    def peer(self) -> str:
        return "ipv4:10.0.0.1:4000"

    def peer_identities(self) -> None:
        return None

    async def read(self) -> bytes:
        if not self._messages:
            await asyncio.Event().wait()
        return self._messages.pop(0)


@pytest.mark.parametrize("size", [100, 2 * MIB])
async def test_only_the_first_message_has_a_deadline(size: int) -> None:
    receiver = Receiver(ServerConfig(max_message_bytes=4 * MIB, receive_timeout_s=1e-9))
    context = receiver.context(_Silent(bytes(size)), len, SOMEBODY)
    assert await context.read() == size
    later = asyncio.ensure_future(context.read())
    first = asyncio.ensure_future(receiver.context(_Silent(), len, SOMEBODY).read())
    await asyncio.sleep(0.01)
    receiver.check_deadlines()
    with pytest.raises(FrameDeadlineError, match="the first message of a call must arrive within"):
        await first
    assert not later.done()
    later.cancel()
    with pytest.raises(asyncio.CancelledError):
        await later


@pytest.mark.parametrize(
    ("limits", "name"),
    [
        ({"max_receiving_bytes_per_client": 3 * MIB}, "(server.max_receiving_bytes_per_client)"),
        ({"max_receiving_bytes": 3 * MIB, "max_receiving_bytes_per_client": 9 * MIB}, "(server.max_receiving_bytes)"),
    ],
)
@pytest.mark.parametrize(("method", "before"), [(CLASSIFY, b""), (CLASSIFY_STREAM, message(config()))])
async def test_unfinished_messages_beyond_the_budget_are_refused(
    start_server: StartServer, limits: dict[str, int], name: str, method: str, before: bytes
) -> None:
    def statuses(address: str) -> list[tuple[str, str] | None]:
        with RudeConnection(address) as connection:
            streams = [connection.open(method) for _ in range(4)]
            for stream in streams:
                connection.send(stream, before + message(bytes(MIB - 1))[:-1])
            return [connection.status(stream, 30) for stream in streams]

    address = await start_server(max_message_bytes=MIB, **limits)
    found = await asyncio.to_thread(statuses, address)
    assert [status and status[0] for status in found] == [RESOURCE_EXHAUSTED] * 4
    assert found[0] is not None
    assert f"unfinished messages must have at most {3 * MIB} bytes" in found[0][1]
    assert name in found[0][1]
    async with stub_of(address) as stub:  # what was refused counts no longer
        assert (await stub.GetModel(pb.GetModelRequest())).name


async def test_whole_messages_do_not_count_as_unfinished(start_server: StartServer) -> None:
    """Forty times the budget, in pictures of half its size, beside three streams that send nothing."""
    address = await start_server(max_message_bytes=MIB, max_receiving_bytes_per_client=MIB)
    raw = pb.RawImage(format=pb.PIXEL_FORMAT_GRAY8, width=1024, height=512, data=bytes(MIB // 2))
    async with stub_of(address) as stub:
        idle = [RawStream(stub) for _ in range(3)]
        for stream in idle:
            await stream.open()
        for _ in range(80):
            answer = await stub.Classify(pb.ClassifyRequest(frame=pb.Frame(raw=raw, boxes=pb.Boxes())))
            assert answer.result.WhichOneof("outcome") == "faces"
        await asyncio.sleep(0.3)  # the guard looks
        for stream in idle:
            await stream.send(1)
            assert (await stream.receive()).frame_id == 1


@pytest.mark.parametrize("method", [f"{SERVICE}{name}" for name in ("Classify", "GetModel")] + [f"{HEALTH}Check"])
async def test_garbled_messages_of_unary_calls(address: str, method: str) -> None:
    async with grpc.aio.insecure_channel(address) as channel:
        await _assert_garbled(channel.unary_unary(method)(GARBLED), method)


async def test_garbled_messages_of_a_health_watcher(address: str) -> None:
    async with grpc.aio.insecure_channel(address) as channel:
        method = f"{HEALTH}Watch"
        await _assert_garbled(channel.unary_stream(method)(GARBLED).read(), method)


@pytest.mark.parametrize("messages", [[GARBLED], [config(), GARBLED]], ids=["config", "frame"])
async def test_garbled_messages_of_a_stream(address: str, messages: list[bytes]) -> None:
    async with grpc.aio.insecure_channel(address) as channel:
        call = channel.stream_stream(CLASSIFY_STREAM)()

        async def exchange() -> None:
            for body in messages:
                await call.write(body)
            while await call.read() is not grpc.aio.EOF:
                pass
            raise grpc.aio.AioRpcError(
                await call.code(), await call.initial_metadata(), await call.trailing_metadata(), await call.details()
            )

        await _assert_garbled(exchange(), CLASSIFY_STREAM)


async def _assert_garbled(call: Awaitable[object], method: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await call
    assert failure.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert failure.value.details().startswith(f"messages of {method} must be protobuf of its type, got other bytes")
    assert as_dict(failure.value.trailing_metadata())[KIND_KEY] == "stream_protocol"


async def test_a_unary_call_without_a_message(address: str) -> None:
    async with grpc.aio.insecure_channel(address) as channel:
        call = channel.stream_unary(CLASSIFY)()
        await call.done_writing()
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await call
    assert failure.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert failure.value.details().startswith(f"a call of {CLASSIFY} must have one message, got none")


async def test_compressed_messages_are_refused_before_they_are_inflated(address: str) -> None:
    async with stub_of(address) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await stub.GetModel(pb.GetModelRequest(name="a" * 1000), compression=grpc.Compression.Gzip)
    assert failure.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert "gzip" in failure.value.details()


async def test_a_meter_bounds_what_is_unfinished_from_both_sides() -> None:
    meter = Meter("10.0.0.1")
    assert meter.update(_received(5_000), 1000) == 0, "nobody waits, so nothing is held"
    read = Read(meter, 1e9)
    meter.reads.add(read)
    assert meter.update(_received(5_600), 1000) == 600
    assert meter.update(_received(9_000), 1000) == 1000, "gRPC refuses more than a message"
    meter.reads.remove(read)
    meter.deliver(1000)
    meter.reads.add(Read(meter, 1e9))
    assert meter.update(_received(9_000), 1000) == 0


async def test_a_meter_starts_anew_if_another_connection_has_the_same_port() -> None:
    meter = Meter("10.0.0.1")
    meter.update(_received(50_000), 1000)
    meter.reads.add(Read(meter, 1e9))
    assert meter.update(_received(700, inode=2), 1000) == 700


def _received(count: int, inode: int = 1) -> Connection:
    return Connection(("10.0.0.1", 4000), count, inode, 7)


async def test_large_messages_of_a_client_come_in_turn() -> None:
    """Two at a time; one that gives up does not hold up those behind it."""
    turns = LargeReads()
    first, second = await turns.turn(2), await turns.turn(2)
    third, fourth = asyncio.ensure_future(turns.turn(2)), asyncio.ensure_future(turns.turn(2))
    with first, second:
        await asyncio.sleep(0.01)
        assert not third.done()
        third.cancel()
        assert bool(turns)
    with await fourth:
        assert not third.done() or third.cancelled()
    assert not turns


async def test_a_call_that_rests_gives_its_turn_away() -> None:
    turns = LargeReads()
    with await turns.turn(1), await asyncio.wait_for(turns.turn(1), 30):
        assert bool(turns)
    assert not turns
