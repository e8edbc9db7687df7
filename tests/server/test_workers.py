"""``ferserve serve --workers``: several processes behind one port."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import grpc
import psutil
import pytest

from ferserve import AsyncClient
from ferserve.bench.live import LiveStream, open_streams
from ferserve.bench.messages import config_request
from ferserve.bench.poller import Poller
from ferserve.client.connector import StreamConnector
from ferserve.client.servers import Servers
from ferserve.errors import KIND_KEY
from ferserve.v1 import emotion_pb2 as pb
from ferserve.wire.metadata import WORKER_KEY, as_dict
from tests.serving.process import ServerProcess, serve_command
from tests.serving.streams import RawStream, astronaut_jpeg, stub_of
from tests.serving.workers import WORKERS, gone, is_worker, workers_command, workers_of


@pytest.fixture
def server(model_dir: Path) -> Iterator[ServerProcess]:
    with ServerProcess(workers_command(model_dir)) as server:
        yield server


def test_the_supervisor_prints_one_ready_line(server: ServerProcess) -> None:
    assert server.ready_line.startswith("ferserve ready on 127.0.0.1:")
    assert server.ready_line.endswith(f"1 thread in each of {WORKERS} workers)")
    assert len(workers_of(server)) == WORKERS


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_all_of_them(server: ServerProcess, number: signal.Signals) -> None:
    family = workers_of(server)
    server.process.send_signal(number)
    assert server.wait() == 0
    assert all(gone(worker, 5) for worker in family)
    assert server.rest() == ("", "")


@pytest.mark.parametrize("delay_s", [0.0, 0.1, 0.3])
async def test_a_second_signal_stops_at_once(server: ServerProcess, delay_s: float) -> None:
    """Whether it comes in the middle of the graceful stop or at its end."""
    async with stub_of(server.address) as stub:
        stream = RawStream(stub)
        await stream.open(delivery=pb.DELIVERY_EVERY)
        sender = asyncio.ensure_future(stream.send_all({i: {} for i in range(1, 500)}))
        await stream.get_stuck()
        server.process.send_signal(signal.SIGTERM)
        await asyncio.sleep(delay_s)
        started = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(server.wait) == 0
        assert time.monotonic() - started < 4, "the grace period is 5 s"
        sender.cancel()


def test_without_their_supervisor_workers_end(server: ServerProcess) -> None:
    family = workers_of(server)
    server.process.send_signal(signal.SIGKILL)
    assert all(gone(worker, 10) for worker in family)


async def test_without_their_supervisor_workers_end_their_streams(server: ServerProcess) -> None:
    async with stub_of(server.address) as stub:
        stream = RawStream(stub)
        await stream.open()
        server.process.send_signal(signal.SIGKILL)
        with pytest.raises(grpc.aio.AioRpcError) as goodbye:
            await stream.call.read()
    assert as_dict(goodbye.value.trailing_metadata())[KIND_KEY] == "model_not_ready"


def test_a_taken_port_is_reported_in_one_line(server: ServerProcess, model_dir: Path) -> None:
    command = workers_command(model_dir)
    command[command.index("--port") + 1] = str(server.port)
    second = subprocess.run(command, capture_output=True, text=True, check=False)
    assert second.returncode == 2
    assert "must be a free address of this machine" in second.stderr
    assert second.stderr.count("\n") == 1


def test_a_failed_start_of_workers_is_reported_in_one_line(model_dir: Path) -> None:
    command = workers_command(model_dir)
    command[command.index("--model") + 1] = "nobody"
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("ferserve: model")
    assert done.stderr.count("\n") == 1


async def test_few_streams_are_spread_evenly(server: ServerProcess) -> None:
    """One client with a single connection, or six at once: the workers share them."""
    async with contextlib.aclosing(Servers([server.address])) as servers:
        connectors = [StreamConnector(servers, 0) for _ in range(2 * WORKERS)]
        calls = await asyncio.gather(*(_open(connector) for connector in connectors))
        places = [as_dict(await call.initial_metadata())[WORKER_KEY] for call in calls]
        assert Counter(places) == {str(index): 2 for index in range(WORKERS)}
        for call, connector in zip(calls, connectors, strict=True):
            call.cancel()
            await connector.close()


async def _open(connector: StreamConnector) -> grpc.aio.StreamStreamCall:
    """A stream that has started, as the session of a client opens it."""
    while True:
        call = connector.open_call()
        try:
            await call.write(pb.ClassifyStreamRequest(config=pb.StreamConfig()))
            assert (await call.read()).HasField("started")
            return call
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            await connector.move()


async def test_a_broken_stream_comes_back_to_its_worker(server: ServerProcess) -> None:
    async with contextlib.aclosing(Servers([server.address])) as servers:
        connector = StreamConnector(servers, 0)
        call = await _open(connector)
        await connector.settle(call)
        home = as_dict(await call.initial_metadata())[WORKER_KEY]
        for _ in range(3):
            call.cancel()
            await connector.move()
            call = await _open(connector)
            assert as_dict(await call.initial_metadata())[WORKER_KEY] == home
        call.cancel()
        await connector.close()


async def test_new_streams_fill_a_worker_that_was_replaced(server: ServerProcess) -> None:
    """Streams that run stay where they are; those that open go to the new worker until it has its share."""
    share = 4
    async with contextlib.aclosing(Servers([server.address])) as servers, contextlib.AsyncExitStack() as held:

        async def place(stack: contextlib.AsyncExitStack) -> str:
            connector = StreamConnector(servers, 0)
            stack.push_async_callback(connector.close)
            call = await _open(connector)
            stack.callback(call.cancel)
            return as_dict(await call.initial_metadata())[WORKER_KEY]

        places = Counter([await place(held) for _ in range(share * WORKERS)])
        assert places == {str(index): share for index in range(WORKERS)}
        workers_of(server)[0].kill()
        until = time.monotonic() + 30
        while True:
            async with contextlib.AsyncExitStack() as probe:
                if await place(probe) == "0":
                    await held.enter_async_context(probe.pop_all())
                    break
            assert time.monotonic() < until, "the worker must be started again"
            await asyncio.sleep(0.1)
        assert [await place(held) for _ in range(share - 1)] == ["0"] * (share - 1)


async def test_unary_calls_and_streams_are_answered(server: ServerProcess) -> None:
    async with AsyncClient(server.address) as client:
        assert len((await client.classify(astronaut_jpeg())).faces) == 1
        results = [result async for result in client.stream([astronaut_jpeg()] * 3)]
        assert [len(result.faces) for result in results] == [1, 1, 1]


def test_a_worker_that_was_frozen_stops_with_the_others(server: ServerProcess) -> None:
    family = workers_of(server)
    os.kill(family[0].pid, signal.SIGSTOP)
    server.process.send_signal(signal.SIGTERM)
    assert server.wait() == 0
    assert all(gone(worker, 5) for worker in family)


def test_a_worker_that_stays_frozen_is_killed_after_the_grace(model_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FERSERVE_SERVER_GRACE_S", "0.5")
    with ServerProcess(workers_command(model_dir)) as server:
        family = workers_of(server)
        server.process.send_signal(signal.SIGTERM)
        while is_worker(family[0]):
            with contextlib.suppress(psutil.NoSuchProcess):
                family[0].suspend()
        assert server.wait() == 0
        assert all(gone(worker, 5) for worker in family)


@pytest.mark.slow
def test_a_worker_that_hangs_is_replaced(server: ServerProcess) -> None:
    stuck = workers_of(server)[0]
    os.kill(stuck.pid, signal.SIGSTOP)
    assert gone(stuck, 40)
    until = time.monotonic() + 15
    while len(workers_of(server)) < WORKERS:
        assert time.monotonic() < until
        time.sleep(0.1)


async def test_a_unix_socket_serves_as_a_port_does(model_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "s"
    with ServerProcess([*serve_command(model_dir), "--uds", str(path)]) as server:
        assert server.address == f"unix:{path}"
        async with AsyncClient(server.address) as client:
            assert len((await client.classify(astronaut_jpeg())).faces) == 1


@pytest.mark.parametrize("cpus", ["split", "shared"])
def test_workers_keep_to_processors_of_their_own(cpus: str, model_dir: Path) -> None:
    """Then the event loop, a process's first thread, never interrupts a running model; other threads may."""
    ours = os.sched_getaffinity(0)
    if len(ours) < WORKERS:
        pytest.skip(f"needs {WORKERS} processors, has {len(ours)}")
    with ServerProcess(workers_command(model_dir, "--cpus", cpus)) as server:
        family = workers_of(server)
        taken = [cpu for worker in family for cpu in worker.cpu_affinity()]
        patient = [_patient_threads(worker) for worker in family]
    assert sorted(taken) == sorted([*ours] * (1 if cpus == "split" else WORKERS))
    assert patient == [[worker.pid] if cpus == "split" else [] for worker in family]


def _patient_threads(process: psutil.Process) -> list[int]:
    """The threads that wait for their turn instead of interrupting others."""
    return [thread.id for thread in process.threads() if os.sched_getscheduler(thread.id) == os.SCHED_BATCH]


def test_the_load_generator_spreads_its_streams_too(server: ServerProcess) -> None:
    config = config_request(model="", delivery="latest")
    with Poller() as poller:
        streams = [LiveStream(server.address, config, lambda _: None) for _ in range(3 * WORKERS)]
        open_streams(streams, poller)
        ours = {stream.call.local_port for stream in streams}
        held = [{c.raddr.port for c in worker.net_connections("tcp") if c.raddr} for worker in workers_of(server)]
    assert [len(ports & ours) for ports in held] == [3] * WORKERS
