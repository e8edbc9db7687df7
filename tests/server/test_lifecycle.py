"""Start, drain and stop, inside a process and as one."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2

from ferserve.config import ServerConfig
from ferserve.engine import Engine
from ferserve.errors import KIND_KEY, ConfigError
from ferserve.server import Server
from ferserve.v1 import emotion_pb2 as pb
from ferserve.wire.metadata import as_dict
from tests.serving.health import free_port, health_at
from tests.serving.process import ServerProcess, serve_command
from tests.serving.streams import RawStream, astronaut_jpeg, stub_of


async def test_a_drain_answers_the_accepted_frames_and_then_ends(engine: Engine) -> None:
    server = Server(engine, ServerConfig(port=0, grace_s=20))
    address = await server.start()
    async with stub_of(address) as stub:
        stream, silent = RawStream(stub), stub.ClassifyStream()
        await stream.open(delivery=pb.DELIVERY_EVERY)
        await silent.wait_for_connection()
        unary = stub.Classify(pb.ClassifyRequest(frame=pb.Frame(encoded=astronaut_jpeg())))
        for frame_id in (1, 2, 3):
            await stream.send(frame_id)
        assert (await stream.receive()).frame_id == 1
        started = time.monotonic()
        stopping = asyncio.ensure_future(server.stop())
        answered = [1]
        with pytest.raises(grpc.aio.AioRpcError) as goodbye:
            await _collect(stream, answered)
        assert goodbye.value.code() is grpc.StatusCode.UNAVAILABLE
        assert as_dict(goodbye.value.trailing_metadata())[KIND_KEY] == "model_not_ready"
        assert answered == [1, 2, 3][: len(answered)]
        assert len((await unary).result.faces.faces) == 1
        await stopping
        assert time.monotonic() - started < 10, "nothing was left to wait for"
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.ListModels(pb.ListModelsRequest())
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


async def _collect(stream: RawStream, answered: list[int]) -> None:
    while True:
        answered.append((await stream.receive()).frame_id)


async def test_a_taken_port_is_a_configuration_error(engine: Engine, address: str) -> None:
    port = int(address.rpartition(":")[2])
    with pytest.raises(ConfigError, match=rf"must be a free address of this machine, got 127\.0\.0\.1:{port}"):
        await Server(engine, ServerConfig(port=port)).start()


async def test_a_foreign_host_is_a_configuration_error(engine: Engine) -> None:
    with pytest.raises(ConfigError, match="must be a free address"):
        await Server(engine, ServerConfig(host="203.0.113.1", port=0)).start()


async def test_the_socket_of_a_running_server_is_not_taken_away(engine: Engine, tmp_path: Path) -> None:
    config = ServerConfig(uds=str(tmp_path / "s"))
    first = Server(engine, config)
    address = await first.start()
    with pytest.raises(ConfigError, match="must be a path that no server listens on"):
        await Server(engine, config).start()
    async with stub_of(address) as stub:
        assert (await stub.ListModels(pb.ListModelsRequest())).models
    await first.stop()
    second = Server(engine, config)
    assert await second.start() == address
    await second.stop()


async def test_ipv6(engine: Engine) -> None:
    server = Server(engine, ServerConfig(host="::1", port=0))
    address = await server.start()
    assert address.startswith("[::1]:")
    async with stub_of(address) as stub:
        assert (await stub.ListModels(pb.ListModelsRequest())).models
    await server.stop()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_process_says_when_it_is_ready_and_stops_on_a_signal(model_dir: Path, number: signal.Signals) -> None:
    with ServerProcess(serve_command(model_dir)) as server:
        assert server.ready_line.startswith("ferserve ready on 127.0.0.1:")
        assert "brightness 1" in server.ready_line
        assert "ONNX Runtime" in server.ready_line
        async with stub_of(server.address) as stub:
            stream = RawStream(stub)
            await stream.open()
            await stream.send(1)
            assert len((await stream.receive()).faces.faces) == 1
            server.process.send_signal(number)
            with pytest.raises(grpc.aio.AioRpcError) as goodbye:
                await stream.receive()
            assert goodbye.value.code() is grpc.StatusCode.UNAVAILABLE
        assert await asyncio.to_thread(server.wait) == 0
        assert server.rest() == ("", "")


async def test_a_second_signal_stops_at_once() -> None:
    """The first one waits for an answer that never comes, and would do so for a minute."""
    with ServerProcess([sys.executable, "-m", "tests.serving.silent_server"]) as server:
        async with stub_of(server.address) as stub:
            call = stub.Classify(pb.ClassifyRequest(frame=pb.Frame(encoded=b"x")))
            await asyncio.sleep(0.5)  # until the call has arrived
            server.process.send_signal(signal.SIGTERM)
            await asyncio.sleep(1)
            assert server.process.poll() is None
            server.process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(server.wait) == 0
            with pytest.raises(grpc.aio.AioRpcError):
                await call


@pytest.mark.parametrize(("workers", "needed"), [(1, 72), (2, 80)])
def test_a_server_that_hardly_a_client_could_reach_does_not_say_that_it_is_ready(
    workers: int, needed: int, model_dir: Path
) -> None:
    few = needed - 1
    done = subprocess.run(
        ["bash", "-c", f'ulimit -n {few}; exec "$@"', "", *serve_command(model_dir), "--workers", str(workers)],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"ferserve: the limit of open files must be at least {needed}, got {few}: hardly a client could connect; "
        "raise it with `ulimit -n`, or LimitNOFILE in systemd\n"
    )


def _stuck_server(part: str, grace_s: float) -> ServerProcess:
    server = ServerProcess([sys.executable, "-m", "tests.serving.stuck_server", part, str(grace_s)])
    if part == "loop":
        server.process.send_signal(signal.SIGUSR1)
    return server


@pytest.mark.parametrize("part", ["worker", "loop", "beside"])
def test_the_grace_holds_whatever_is_stuck(part: str) -> None:
    """It is ended without success, since it did not finish."""
    with _stuck_server(part, 0.2) as server:
        server.process.send_signal(signal.SIGTERM)
        assert server.wait() == 1
        _, log = server.rest()
    if part != "loop":  # which cannot say what keeps it
        assert "cannot stop in time" in log
        assert "_wait_for_ever" in log or part == "beside"


@pytest.mark.parametrize("part", ["worker", "loop", "beside"])
def test_a_second_signal_ends_at_once_whatever_is_stuck(part: str) -> None:
    """The first one would leave it a minute."""
    with _stuck_server(part, 60) as server:
        server.process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            server.process.wait(0.5)
        server.process.send_signal(signal.SIGTERM)
        assert server.wait() != 0


@pytest.mark.parametrize(("stdout", "workers"), [("full", 1), ("closed", 1), ("full", 2)])
def test_a_server_that_cannot_print_serves_all_the_same(stdout: str, workers: int, model_dir: Path) -> None:
    port = free_port()
    command = [*serve_command(model_dir, port), "--workers", str(workers)]
    reader, writer = os.pipe()
    os.close(reader)  # every write fails
    with open("/dev/full", "w") as full:
        target = full.fileno() if stdout == "full" else writer
        process = subprocess.Popen(command, stdout=target, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    try:
        assert asyncio.run(health_at(port)) == health_pb2.HealthCheckResponse.SERVING
        assert process.stderr is not None
        assert "cannot print the ready line" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=20)[1] == ""
        assert process.returncode == 0
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--port", "70000"], "server.port must be from 0 to 65535, got 70000"),
        (["--model", "nobody"], "got 'nobody'"),
        (["--threads", "-1"], "engine.threads must be from 0 to 1024, got -1"),
        (["--config", "/nowhere.toml"], "config file must be readable"),
        (["--uds", "/nowhere/s"], "server.uds must be a new path"),
        (["--uds", "/tmp/" + "s" * 110], "server.uds must be a new path"),
    ],
)
def test_wrong_configuration_is_one_line_and_exit_code_2(arguments: list[str], words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ferserve", "serve", *arguments], capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""
