"""Limits per client, and the errors beyond them."""

from __future__ import annotations

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ferserve.auth.authenticator import Authenticator
from ferserve.config import ServerConfig
from ferserve.errors import KIND_KEY, OverloadedError
from ferserve.server.callers import client_address, connection_name, peer_of
from ferserve.server.client_limit import ClientLimit
from ferserve.server.grpc_options import with_message_limit
from ferserve.server.interceptors import pause_before_refusal
from ferserve.v1 import emotion_pb2 as pb
from ferserve.wire.metadata import as_dict
from tests.serving.fixtures import StartServer
from tests.serving.streams import RawStream, stub_of


async def test_streams_per_client_are_limited_and_closed_ones_no_longer_count(start_server: StartServer) -> None:
    async with stub_of(await start_server(max_streams_per_client=2)) as stub:
        first, second = RawStream(stub), RawStream(stub)
        await first.open()
        await second.open()
        third = stub.ClassifyStream()
        await third.write(pb.ClassifyStreamRequest(config=pb.StreamConfig()))
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await third.read()
        assert failure.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "open streams per client must be at most 2 (server.max_streams_per_client)" in failure.value.details()
        assert as_dict(failure.value.trailing_metadata())[KIND_KEY] == "overloaded"
        await first.finish()
        fourth = RawStream(stub)
        await fourth.open()
        await fourth.finish()
        await second.finish()


async def test_calls_per_client_are_limited_whatever_they_call(start_server: StartServer) -> None:
    """Three watchers of the health service, and one more; then one of them leaves."""
    async with grpc.aio.insecure_channel(await start_server(max_calls_per_client=3)) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        watchers = [stub.Watch(health_pb2.HealthCheckRequest()) for _ in range(3)]
        for watcher in watchers:
            assert (await watcher.read()).status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await stub.Check(health_pb2.HealthCheckRequest())
        assert failure.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert failure.value.details().startswith(
            "calls in flight per client must be at most 3 (server.max_calls_per_client), got one more from 127.0.0.1"
        )
        watchers[0].cancel()
        while not await _is_checked(stub):
            pass
        for watcher in watchers:
            watcher.cancel()


async def _is_checked(stub: health_pb2_grpc.HealthStub) -> bool:
    try:
        await stub.Check(health_pb2.HealthCheckRequest())
    except grpc.aio.AioRpcError:
        return False
    return True


def test_clients_are_counted_each_by_itself() -> None:
    limit = ClientLimit("apples", 1, "basket.apples", "eat one")
    with (
        limit.hold("anna"),
        limit.hold("bert"),
        pytest.raises(
            OverloadedError, match=r"^apples per client must be at most 1 \(basket.apples\), .* anna; eat one"
        ),
        limit.hold("anna"),
    ):
        pass
    with limit.hold("anna"):
        pass


@pytest.mark.parametrize(
    ("peer", "address"),
    [("ipv4:10.0.0.1:80", "10.0.0.1"), ("ipv6:%5B::1%5D:80", "%5B::1%5D"), ("unix:/run/x", "unix:/run/x")],
)
def test_addresses_of_peers(peer: str, address: str) -> None:
    assert client_address(peer) == address


class _Context:
    """A call of ``peer``, who showed a certificate with ``identities``, or none."""

    def __init__(self, peer: str, identities: tuple[bytes, ...] | None = None) -> None:
        self.peer = lambda: peer
        self.peer_identities = lambda: identities


def caller_of(context: _Context) -> str:
    """The name of the client; the same for its connection and for its calls."""
    name = Authenticator(ServerConfig()).authenticate(None, peer_of(context, tls=False)).name
    assert connection_name(context) == name
    return name


def test_shares_are_counted_by_identity_or_else_by_address() -> None:
    here, there = _Context("ipv4:10.0.0.1:80"), _Context("ipv4:10.0.0.2:81")
    assert caller_of(here) == caller_of(_Context("ipv4:10.0.0.1:81")) != caller_of(there)
    robots = [_Context(f"ipv4:10.0.0.{i}:80", (b"robot",)) for i in range(2)]
    assert caller_of(robots[0]) == caller_of(robots[1]) != caller_of(here)
    assert caller_of(_Context("ipv4:10.0.0.1:80", (b"\xff", b"other"))) not in (caller_of(here), caller_of(robots[0]))


def test_a_customer_with_many_ipv6_addresses_is_one_client() -> None:
    peers = ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1")
    first, second, third = (caller_of(_Context(f"ipv6:%5B{peer}%5D:80")) for peer in peers)
    assert first == second != third
    assert caller_of(_Context("ipv6:%5Bfe80::1%25eth0%5D:80")) == caller_of(_Context("ipv6:%5Bfe80::2%25eth0%5D:1"))


async def test_a_message_over_the_limit_is_refused_and_the_next_one_answered(start_server: StartServer) -> None:
    async with stub_of(await start_server(max_message_bytes=10_000)) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await stub.Classify(pb.ClassifyRequest(frame=pb.Frame(encoded=bytes(20_000))))
        assert failure.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        raw = pb.RawImage(format=pb.PIXEL_FORMAT_GRAY8, width=80, height=80, data=bytes(6400))
        response = await stub.Classify(pb.ClassifyRequest(frame=pb.Frame(raw=raw)))
        assert response.result.WhichOneof("outcome") == "faces"


async def test_frames_of_the_size_of_4k_fit_by_default(address: str) -> None:
    async with stub_of(address) as stub:
        raw = pb.RawImage(format=pb.PIXEL_FORMAT_BGR24, width=3840, height=2160, data=bytes(3840 * 2160 * 3))
        response = await stub.Classify(pb.ClassifyRequest(frame=pb.Frame(raw=raw)))
        assert (response.result.width, response.result.height) == (3840, 2160)


@pytest.mark.parametrize(("width", "height"), [(4032, 3024), (1, 50_000), (5000, 2500)])
async def test_every_raw_frame_within_the_pixels_fits_into_a_message(address: str, width: int, height: int) -> None:
    async with stub_of(address) as stub:
        raw = pb.RawImage(format=pb.PIXEL_FORMAT_BGR24, width=width, height=height, data=bytes(width * height * 3))
        response = await stub.Classify(pb.ClassifyRequest(frame=pb.Frame(raw=raw, boxes=pb.Boxes())), timeout=20)
        assert (response.result.width, response.result.height) == (width, height)


def test_the_message_limit_follows_from_the_pixels_unless_it_is_set() -> None:
    assert with_message_limit(ServerConfig(), 1_000_000).max_message_bytes == 5_048_576
    assert with_message_limit(ServerConfig(), 50_000_000).max_message_bytes == 64 << 20
    assert with_message_limit(ServerConfig(max_message_bytes=2048), 50_000_000).max_message_bytes == 2048


async def test_metadata_over_16_kilobytes_is_refused_and_the_next_call_answered(start_server: StartServer) -> None:
    async with stub_of(await start_server()) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await stub.ListModels(pb.ListModelsRequest(), metadata=(("x", "a" * 17_000),))
        assert failure.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert (await stub.ListModels(pb.ListModelsRequest(), metadata=(("x", "a" * 4_000),))).models


@pytest.mark.parametrize(
    ("calls", "pause_s"), [(1, 0.0), (32, 0.0), (33, 0.132), (216, 0.864), (500, 1.0), (10_000, 1.0)]
)
def test_a_client_with_many_calls_hears_later_that_there_is_no_room(calls: int, pause_s: float) -> None:
    assert pause_before_refusal(calls) == pytest.approx(pause_s)
