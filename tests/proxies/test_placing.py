"""Which server a stream or a call gets."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import grpc
import numpy as np
import pytest

import ferserve
from ferserve.v1 import emotion_pb2 as pb
from ferserve.v1 import emotion_pb2_grpc
from ferserve.wire.metadata import STREAM_KEY
from tests.proxies.backends import NAMES, Backends
from tests.proxies.proxy import HAProxy, Proxy, require_haproxy
from tests.proxies.raw import server_of
from tests.serving.streams import RawStream, stub_of

pytestmark = pytest.mark.proxies


async def test_a_stream_id_leads_to_the_same_server(
    kind: type[Proxy], proxy: Proxy, backends: Backends, tmp_path: Path
) -> None:
    ids = [f"camera-{number}" for number in range(24)]
    first = {stream_id: await server_of(proxy.address, stream_id) for stream_id in ids}
    assert set(first.values()) == set(NAMES)
    assert {stream_id: await server_of(proxy.address, stream_id) for stream_id in ids} == first
    (tmp_path / "second").mkdir()
    ports = {name: backend.port for name, backend in backends.by_name.items()}
    with kind(tmp_path / "second", ports) as second:
        second.wait_for(*NAMES)
        assert {stream_id: await server_of(second.address, stream_id) for stream_id in ids} == first


async def test_only_the_streams_of_a_server_that_is_gone_move(proxy: Proxy, backends: Backends) -> None:
    ids = [f"camera-{number}" for number in range(24)]
    first = {stream_id: await server_of(proxy.address, stream_id) for stream_id in ids}
    assert backends["b"].stop() == 0
    proxy.wait_for("a", "c")
    now = {stream_id: await server_of(proxy.address, stream_id) for stream_id in ids}
    assert "b" not in now.values()
    assert {key: value for key, value in now.items() if first[key] != "b"} == {
        key: value for key, value in first.items() if value != "b"
    }


async def test_haproxy_can_bound_shares(running_backends: Backends, tmp_path: Path) -> None:
    """The line that its file keeps for many servers."""
    require_haproxy()
    running_backends.restore()
    line = "    # hash-balance-factor 125"
    ports = {name: backend.port for name, backend in running_backends.by_name.items()}
    with HAProxy(tmp_path, ports, {line: line.replace("# ", "")}) as proxy:
        proxy.wait_for(*NAMES)
        async with stub_of(proxy.address) as stub:
            streams = [RawStream(stub, (STREAM_KEY, "the same")) for _ in range(48)]
            servers = Counter([(await stream.open()).model.version for stream in streams])
            for stream in streams:
                await stream.finish()
    # 20 of three servers, 30 of two: a busy machine may miss a health check. Unbounded, it were all 48.
    assert max(servers.values()) <= 1.25 * 24 + 1, servers


@pytest.mark.parametrize("stream_id", ["", "x" * 128, "%2F?&=;,", "a b c"])
async def test_any_id_reaches_a_server(proxy: Proxy, stream_id: str) -> None:
    assert await server_of(proxy.address, stream_id) in NAMES


def test_a_thousand_short_calls_are_spread_evenly(proxy: Proxy) -> None:
    picture = np.full((32, 32), 128, np.uint8)
    with ferserve.Client(proxy.address, encoding="raw") as client:
        answers = Counter(client.classify(picture, boxes=[(0, 0, 31, 31)]).model_version for _ in range(1000))
    assert set(answers) == set(NAMES)
    # A fair coin per call would stay within 333 +- 60 in all but one of ten thousand runs.
    assert max(abs(count - 1000 / 3) for count in answers.values()) < 60, answers


def test_administrators_are_sent_to_the_servers_themselves(proxy: Proxy) -> None:
    """A model would be loaded by one server of three."""
    with grpc.insecure_channel(proxy.address) as channel:
        admin = emotion_pb2_grpc.AdminServiceStub(channel)  # type: ignore[no-untyped-call]
        with pytest.raises(grpc.RpcError) as refused:
            admin.LoadModel(pb.LoadModelRequest(name="brightness"), timeout=20)
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
