"""How many connections a server takes, and how long it keeps them."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import subprocess
import sys
import time
from collections.abc import AsyncIterator

import pytest

from ferserve import AsyncClient, Delivery, StreamOptions
from ferserve.server.sockets import connections_to, endpoint_of
from tests.fire.rude import RudeConnection, connect_socket, message
from tests.serving.fixtures import StartServer
from tests.serving.streams import RawStream, astronaut_jpeg, stub_of

CHECK = "/grpc.health.v1.Health/Check"
OK = "0"


def _is_open(connection: RudeConnection) -> bool:
    try:
        stream = connection.open(CHECK)
        connection.send(stream, message(b""), end=True)
        status = connection.status(stream, 10)
    except OSError:
        return False
    return status is not None and status[0] == OK


def _connection(address: str) -> RudeConnection | None:
    """A connection; None if it is refused at once."""
    try:
        return RudeConnection(address)
    except OSError:
        return None


@pytest.mark.parametrize("limits", [{"max_connections_per_client": 3}, {"max_connections": 3}])
async def test_connections_beyond_the_limit_are_closed_and_the_first_go_on(
    start_server: StartServer, limits: dict[str, int]
) -> None:
    def check(address: str) -> None:
        first = [RudeConnection(address) for _ in range(3)]
        assert all(map(_is_open, first))
        later = [connection for _ in range(3) if (connection := _connection(address))]
        deadline = time.monotonic() + 20
        while any(map(_is_open, later)):
            assert time.monotonic() < deadline
        assert all(map(_is_open, first))
        for connection in (*first, *later):
            connection.close()

    await asyncio.to_thread(check, await start_server(**limits))


async def test_a_connection_without_calls_is_closed_in_the_end(start_server: StartServer) -> None:
    def wait_for_the_end(address: str) -> None:
        with RudeConnection(address) as connection, contextlib.suppress(ConnectionError):
            while True:
                connection.poll(0.1)

    await asyncio.wait_for(asyncio.to_thread(wait_for_the_end, await start_server(max_connection_idle_s=0.2)), 30)


async def test_a_connection_with_a_stream_is_not_idle(start_server: StartServer) -> None:
    async with stub_of(await start_server(max_connection_idle_s=0.1)) as stub:
        stream = RawStream(stub)
        await stream.open()
        await asyncio.sleep(1)
        await stream.send(1)
        assert (await stream.receive()).frame_id == 1
        await stream.finish()


async def test_a_stream_outlives_its_connection(start_server: StartServer) -> None:
    """Connections of half a second, and forty frames in two."""

    async def frames() -> AsyncIterator[bytes]:
        for _ in range(40):
            await asyncio.sleep(0.05)
            yield astronaut_jpeg()

    address = await start_server(max_connection_age_s=0.5, grace_s=0.1)
    async with AsyncClient(address) as client:
        options = StreamOptions(delivery=Delivery.EVERY)
        assert [result.frame_id async for result in client.stream(frames(), options)] == list(range(1, 41))


async def test_the_kernel_tells_peers_and_received_bytes(address: str) -> None:
    port = int(address.rpartition(":")[2])

    def check() -> None:
        with connect_socket(address) as client:
            peer = client.getsockname()
            client.sendall(b"PRI * HTTP/2.0\r\n\r\n")  # not all of it, so that gRPC waits
            deadline = time.monotonic() + 20
            while [(c.peer, c.received_bytes) for c in connections_to({port})] != [(peer, 18)]:
                assert time.monotonic() < deadline
        assert list(connections_to({1})) == []

    await asyncio.to_thread(check)


@pytest.mark.parametrize(
    ("peer", "endpoint"),
    [
        ("ipv4:10.0.0.1:80", ("10.0.0.1", 80)),
        ("ipv6:%5B::1%5D:80", ("::1", 80)),
        ("ipv6:[2001:db8::2]:443", ("2001:db8::2", 443)),
        ("unix:/run/x", None),
        ("unix:", None),
    ],
)
def test_endpoints_in_names_of_peers(peer: str, endpoint: tuple[str, int] | None) -> None:
    assert endpoint_of(peer) == endpoint


_LIMIT = """
import logging, resource
logging.basicConfig()
limits = [({soft}, {hard})]
resource.getrlimit = lambda which: limits[-1]
resource.setrlimit = lambda which, new: limits.append(new)
from ferserve.server.files import connections_within_files
print(connections_within_files({wanted}), limits[-1][0])
"""


@pytest.mark.parametrize(
    ("soft", "hard", "wanted", "allowed", "files"),
    [
        (1024, 1024, 500, 500, 1024),
        (1024, 4096, 1000, 1000, 1256),
        (300, 600, 1000, 344, 600),
        (100, 100, 1000, 50, 100),
        (2000, 4000, 1000, 1000, 2000),
        (1024, resource.RLIM_INFINITY, 1000, 1000, 1256),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, 1000, 1000, resource.RLIM_INFINITY),
    ],
)
def test_files_are_kept_in_reserve(soft: int, hard: int, wanted: int, allowed: int, files: int) -> None:
    """In a process of its own, which is told of its limits: only root may set them as it likes."""
    code = _LIMIT.format(soft=soft, hard=hard, wanted=wanted)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=50)
    assert done.stdout.split() == [str(allowed), str(files)]
    assert (f"lowered from {wanted} to {allowed}" in done.stderr) is (allowed < wanted)
