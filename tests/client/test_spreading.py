"""Several servers of one client, without a proxy."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

import ferserve
from ferserve import AsyncClient, Client, StreamOptions
from ferserve.client.admin import load_model
from ferserve.client.servers import stream_order, targets_of
from ferserve.config import EngineConfig, ServerConfig
from ferserve.engine import Engine
from ferserve.errors import ConfigError, ServerUnavailableError
from ferserve.server import Server
from ferserve.server.sockets import connections_to
from tests import builders
from tests.counting import Counting
from tests.serving.health import free_port
from tests.serving.process import ServerProcess, serve_command
from tests.serving.streams import astronaut_jpeg

FRAME = np.full((48, 48), 90, np.uint8)
IDS = [f"camera-{i}" for i in range(2000)]


def test_a_new_server_takes_its_part_and_moves_nothing_else() -> None:
    three = ["a:1", "b:1", "c:1"]
    before, after = ({i: stream_order(targets, i)[0] for i in IDS} for targets in (three, [*three, "d:1"]))
    moved = [i for i in IDS if before[i] != after[i]]
    assert {after[i] for i in moved} == {"d:1"}
    assert 0.2 < len(moved) / len(IDS) < 0.3
    assert all(0.3 < count / len(IDS) < 0.37 for count in Counter(before.values()).values())


def test_streams_of_a_server_that_is_gone_spread_over_all_others() -> None:
    orders = [stream_order(["a:1", "b:1", "c:1"], i) for i in IDS]
    next_ones = Counter(order[1] for order in orders if order[0] == "a:1")
    assert min(next_ones["b:1"], next_ones["c:1"]) > 0.4 * next_ones.total()
    assert all(stream_order(["c:1", "b:1", "a:1"], i) == order for i, order in zip(IDS, orders, strict=True))


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("a:1", ("a:1",)),
        ("a:1, b:2,a:1", ("a:1", "b:2")),
        (["unix:/tmp/a", "b:2"], ("unix:/tmp/a", "b:2")),
        ("ipv4:10.0.0.1:1,10.0.0.2:1", ("ipv4:10.0.0.1:1,10.0.0.2:1",)),
    ],
)
def test_targets_are_one_or_several(target: str | list[str], expected: tuple[str, ...]) -> None:
    assert targets_of(target) == expected


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ([], "got an empty list"),
        ("", "got ''"),
        ("a:1,,b:2", "got ''"),
        (["a:1", "b"], "got 'b'"),
        (["a:1", 7], "got 7 among them"),
        ("a:1,b:99999", "from 1 to 65535"),
    ],
)
def test_what_is_no_list_of_servers_is_refused(target: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Client(target)


def test_administrators_call_one_server_at_a_time() -> None:
    with pytest.raises(ConfigError, match="target must be one server, got 'a:1,b:1'"):
        load_model("a:1,b:1", "other")


def test_a_token_goes_to_none_of_them_in_plain_text() -> None:
    with pytest.raises(ConfigError, match="robot:50051 in plain text"):
        Client(["127.0.0.1:50051", "robot:50051"], token="ferserve_x")


@pytest.fixture(scope="module")
def engines(engine_config: EngineConfig) -> Iterator[list[Engine]]:
    with ExitStack() as stack:
        yield [stack.enter_context(Engine(engine_config, Counting())) for _ in range(3)]


class Fleet:
    """Three servers with engines of their own."""

    def __init__(self, engines: list[Engine], keys: str) -> None:
        self._engines, self._keys = engines, keys
        self.servers: dict[str, Server] = {}
        self._metrics: dict[str, Counting] = {}

    async def start(self) -> None:
        for engine in self._engines:
            server = Server(engine, ServerConfig(port=0, grace_s=2, resume_key_file=self._keys))
            address = await server.start()
            self.servers[address] = server
            assert isinstance(engine.metrics, Counting)
            self._metrics[address] = engine.metrics
            engine.metrics.opened.clear()
            engine.metrics.results.clear()

    def opened(self) -> dict[str, list[bool]]:
        """Whether each stream was resumed, by the server that opened it."""
        return {address: metrics.opened for address, metrics in self._metrics.items() if metrics.opened}

    def answered(self) -> list[int]:
        return [len(metrics.results) for metrics in self._metrics.values()]

    def order(self, stream_id: str) -> list[str]:
        return stream_order(list(self.servers), stream_id)


@pytest.fixture
async def fleet(engines: list[Engine], tmp_path: Path) -> AsyncIterator[Fleet]:
    keys = tmp_path / "keys"
    keys.write_text(secrets.token_hex(32))
    keys.chmod(0o600)
    fleet = Fleet(engines, str(keys))
    await fleet.start()
    yield fleet
    await asyncio.gather(*(server.stop(0) for server in fleet.servers.values()))


async def test_single_calls_go_round(fleet: Fleet) -> None:
    async with AsyncClient(list(fleet.servers)) as client:
        for _ in range(12):
            await client.classify(FRAME)
        assert fleet.answered() == [4, 4, 4]
        assert [model.name for model in await client.models()]


async def test_single_calls_pass_by_a_server_that_is_gone(fleet: Fleet) -> None:
    gone, *_ = fleet.servers
    async with AsyncClient(",".join(fleet.servers)) as client:
        for _ in range(3):
            await client.classify(FRAME)
        await fleet.servers[gone].stop(0)
        for _ in range(12):
            await client.classify(FRAME)
        assert (fleet.answered()[0], sum(fleet.answered())) == (1, 15)


async def test_each_stream_goes_to_its_own_server(fleet: Fleet) -> None:
    names = [f"gate-{i}" for i in range(9)]
    async with AsyncClient(list(fleet.servers)) as client:
        for name in names:
            assert [result.ok async for result in client.stream([FRAME] * 2, StreamOptions(stream_id=name))] == [
                True
            ] * 2
    expected = Counter(fleet.order(name)[0] for name in names)
    assert {address: len(opened) for address, opened in fleet.opened().items()} == expected


async def test_a_camera_connects_to_its_own_server_alone(fleet: Fleet) -> None:
    """A thousand cameras on ten servers would otherwise hold ten thousand connections."""
    ports = {int(address.rpartition(":")[2]): address for address in fleet.servers}
    half = asyncio.Event()

    async def frames() -> AsyncIterator[tuple[float, np.ndarray]]:
        yield 0.0, FRAME
        await half.wait()

    async with AsyncClient(list(fleet.servers)) as client:
        async for _ in client.stream(frames(), StreamOptions(stream_id="door")):
            connected = [ports[port] for port in ports for _ in connections_to({port})]
            half.set()
    assert connected == [fleet.order("door")[0]]


@pytest.mark.parametrize("grace_s", [0, None])
async def test_streams_of_a_server_that_leaves_go_on_on_the_next(fleet: Fleet, grace_s: float | None) -> None:
    """At once, or when it has answered what it took; ids go on, and streams of others do not move."""
    first, second, _ = fleet.order("door")
    bystander = next(name for name in IDS if fleet.order(name)[0] == second)
    half, answered = asyncio.Event(), asyncio.Event()

    async def frames() -> AsyncIterator[tuple[float, bytes]]:
        for i in range(20):
            if i == 10:
                await answered.wait()  # the first answer brings what resumes the stream
                half.set()
                await asyncio.sleep(0.1)
            yield i / 30, astronaut_jpeg()

    async def play(client: AsyncClient, name: str) -> list[ferserve.FrameResult]:
        results = []
        async for result in client.stream(frames(), StreamOptions(stream_id=name)):
            results.append(result)
            if name == "door":
                answered.set()
        return results

    async with AsyncClient(list(fleet.servers)) as client:
        runs = asyncio.gather(play(client, "door"), play(client, bystander))
        await half.wait()
        await fleet.servers[first].stop(grace_s)
        door, beside = await runs
    for results in (door, beside):
        assert [result.frame_id for result in results] == list(range(1, 21))
        assert {face.track_id for result in results for face in result.faces} == {1}
        assert not any(result.tracks_lost for result in results)
    assert fleet.opened() == {first: [False], second: [False, True]}


async def test_if_all_are_gone_all_are_named(fleet: Fleet) -> None:
    targets = list(fleet.servers)
    await asyncio.gather(*(server.stop(0) for server in fleet.servers.values()))
    async with AsyncClient(targets, reconnect_s=0.2) as client:
        with pytest.raises(ServerUnavailableError) as of_call:
            await client.classify(FRAME)
        with pytest.raises(ServerUnavailableError) as of_stream:
            _ = [result async for result in client.stream([FRAME])]
    for caught in (of_call, of_stream):
        assert all(target in str(caught.value) for target in targets)


def test_a_killed_server_changes_no_id_and_hardly_a_label(tmp_path: Path) -> None:
    """Two real processes with the bundled model; one is killed in the middle of the stream, without a word."""
    keys = tmp_path / "keys"
    keys.write_text(secrets.token_hex(32))
    keys.chmod(0o600)
    settings = tmp_path / "ferserve.toml"
    settings.write_text(f'[server]\nresume_key_file = "{keys}"\n')
    commands = [
        [*serve_command(tmp_path, free_port()), "--config", str(settings), "--model", "emotion-lite"] for _ in range(2)
    ]
    clip = [(i / 30, builders.jpeg(frame)) for i, frame in enumerate(builders.moving_faces(2.0))]
    with ThreadPoolExecutor() as pool:  # both load at a time
        started = [pool.submit(ServerProcess, command) for command in commands]
    with started[0].result() as one, started[1].result() as other:
        by_address = {one.address: one, other.address: other}
        stream_id = next(name for name in IDS if stream_order(list(by_address), name)[0] == one.address)
        options = StreamOptions(stream_id=stream_id)
        with Client(other.address) as alone:
            undisturbed = list(alone.stream(clip, StreamOptions(stream_id="undisturbed")))

        def frames() -> Iterator[tuple[float, bytes]]:
            for i, frame in enumerate(clip):
                if i == len(clip) // 2:
                    one.process.kill()
                yield frame

        with Client(list(by_address), max_in_flight=4) as client:
            disturbed = list(client.stream(frames(), options))
    assert [result.frame_id for result in disturbed] == [result.frame_id for result in undisturbed]
    pairs = [
        (mine.track_id, mine.emotion) == (theirs.track_id, theirs.emotion)
        for a, b in zip(disturbed, undisturbed, strict=True)
        for mine, theirs in zip(a.faces, b.faces, strict=True)
    ]
    assert len(pairs) >= len(clip)
    assert sum(pairs) >= 0.97 * len(pairs)
    assert {f.track_id for r in disturbed for f in r.faces} == {f.track_id for r in undisturbed for f in r.faces}
