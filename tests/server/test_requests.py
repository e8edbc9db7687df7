"""Every call has an id: in each log line that it causes, in its error, and in the access log."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, Any

import grpc
import pytest

import ferserve
from ferserve.errors import ModelNotFoundError
from ferserve.options import FrameOptions
from ferserve.v1 import emotion_pb2 as pb
from ferserve.wire.metadata import REQUEST_ID_KEY, as_dict
from tests.serving.process import ServerProcess, serve_command
from tests.serving.streams import RawStream, astronaut_jpeg, stub_of

UNKNOWN_MODEL = pb.ClassifyRequest(frame=pb.Frame(encoded=b"x"), options=pb.ClassifyOptions(model="a\n\x1b[2Jb"))
RANDOM = r"[0-9a-f]{12}"


class Log:
    """A server that logs JSON lines into a file, which grows."""

    def __init__(self, command: list[str], path: Path) -> None:
        self._path = path
        with path.open("w") as sink:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=sink, text=True)
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().removeprefix("ferserve ready on ").partition(" ")[0]

    def lines(self, **wanted: Any) -> list[dict[str, Any]]:
        """All lines with these fields, parsed; waits for the first."""
        while True:
            parsed = [json.loads(line) for line in self._path.read_text().splitlines()]
            if found := [line for line in parsed if wanted.items() <= line.items()]:
                return found
            time.sleep(0.02)


@pytest.fixture(scope="module")
def log(model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    command = [*serve_command(model_dir), "--log-level", "debug", "--log-format", "json", "--access-log"]
    log = Log(command, tmp_path_factory.mktemp("log") / "log")
    yield log
    log.process.send_signal(signal.SIGTERM)
    assert log.process.wait(20) == 0
    log.process.communicate()


async def _refused(address: str, *metadata: tuple[str, str]) -> tuple[str, str]:
    """The words of a refusal, and the id in its metadata."""
    async with stub_of(address) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.Classify(UNKNOWN_MODEL, metadata=metadata)
    return refused.value.details(), as_dict(refused.value.trailing_metadata())[REQUEST_ID_KEY]


async def test_a_client_names_its_call(log: Log) -> None:
    words, told = await _refused(log.address, (REQUEST_ID_KEY, "front-door/17:a"))
    assert told == "front-door/17:a"
    assert words.endswith(" (request front-door/17:a)")
    lines = log.lines(request_id=told, logger="ferserve.access") + log.lines(request_id=told, level="INFO")
    assert any("refused: model_not_found" in line["message"] for line in lines)


@pytest.mark.parametrize("name", ["", "a b", 'x"}', "x" * 65])
async def test_a_name_that_is_none_is_replaced(log: Log, name: str) -> None:
    words, told = await _refused(log.address, (REQUEST_ID_KEY, name))
    assert re.fullmatch(RANDOM, told)
    assert words.endswith(f" (request {told})")


async def test_lines_of_a_stream_share_its_id_and_no_others(log: Log) -> None:
    async with stub_of(log.address) as stub:
        stream = RawStream(stub, (REQUEST_ID_KEY, "camera-7"))
        await stream.open(stream_id="gate\n7", delivery=pb.DELIVERY_EVERY)
        await stream.exchange({1: {"encoded": b"no image"}, 2: {"encoded": astronaut_jpeg()}})
        await stream.finish()
        await stub.Classify(pb.ClassifyRequest(frame=pb.Frame(encoded=astronaut_jpeg())))
    (access,) = log.lines(request_id="camera-7", logger="ferserve.access")
    assert (access["method"], access["status"]) == ("/ferserve.v1.EmotionService/ClassifyStream", "OK")
    messages = [line["message"] for line in log.lines(request_id="camera-7")]
    assert [message.split(": ")[1] for message in messages if ": frame " in message] == ["frame 1", "frame 2"]
    assert sum("opened" in message or "closed after" in message for message in messages) == 2
    others = [line for line in log.lines(level="DEBUG") if line.get("request_id") != "camera-7"]
    assert re.fullmatch(RANDOM, others[-1]["request_id"])
    assert "image from" in others[-1]["message"]


async def test_json_lines_are_whole_and_tell_the_time(log: Log) -> None:
    started = datetime.now(timezone.utc)
    await _refused(log.address, (REQUEST_ID_KEY, "clock"))
    (access,) = log.lines(request_id="clock", logger="ferserve.access")
    assert access["status"] == "NOT_FOUND"
    assert access["ms"] >= 0
    assert abs((datetime.fromisoformat(access["time"].replace("Z", "+00:00")) - started).total_seconds()) < 60
    (refusal,) = (line for line in log.lines(request_id="clock") if line is not access and "refused" in line["message"])
    assert r"a\n\x1b[2Jb" in refusal["message"]
    assert {"time", "level", "logger", "message", "request_id"} == refusal.keys()


def test_a_client_of_ours_shows_the_id(log: Log) -> None:
    with (
        ferserve.Client(log.address) as client,
        pytest.raises(ModelNotFoundError, match=rf"\(request {RANDOM}\)$") as error,
    ):
        client.classify(astronaut_jpeg(), options=FrameOptions("nobody"))
    told = str(error.value)[-13:-1]
    assert log.lines(request_id=told)


async def test_without_the_access_log_calls_leave_no_line(model_dir: Path) -> None:
    with ServerProcess([*serve_command(model_dir), "--log-level", "info"]) as server:
        async with stub_of(server.address) as stub:
            await stub.ListModels(pb.ListModelsRequest(), metadata=((REQUEST_ID_KEY, "quiet"),))
            with pytest.raises(grpc.aio.AioRpcError):
                await stub.Classify(UNKNOWN_MODEL, metadata=((REQUEST_ID_KEY, "loud"),))
        server.process.send_signal(signal.SIGTERM)
        _, log = server.rest()
    assert "quiet" not in log
    assert re.search(r"INFO ferserve\.server\.interceptors \[loud\]: /ferserve\.\S+ from \S+ refused: model_not", log)


def _closed_pipe() -> IO[bytes]:
    reader, writer = os.pipe()
    os.close(reader)
    return os.fdopen(writer, "wb", buffering=0)


def _full_disk() -> IO[bytes]:
    return Path("/dev/full").open("wb", buffering=0)


def _serve(command: list[str], sink: IO[bytes]) -> subprocess.Popen[str]:
    with sink:
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=sink, text=True)


async def test_a_log_that_nobody_reads_stops_no_server(model_dir: Path) -> None:
    """Its pipe is full soon; when somebody reads again, the log goes on and says what it lacks."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 8192)
    process = _serve([*serve_command(model_dir), "-vv", "--access-log"], os.fdopen(writer, "wb", buffering=0))
    assert process.stdout is not None
    address = process.stdout.readline().removeprefix("ferserve ready on ").partition(" ")[0]
    async with stub_of(address) as stub:
        for _ in range(60):
            await stub.Classify(pb.ClassifyRequest(frame=pb.Frame(encoded=astronaut_jpeg())))
        log = os.read(reader, 8192)
        while b"log lines were lost: nobody read them in time" not in log:
            await stub.Classify(pb.ClassifyRequest(frame=pb.Frame(encoded=astronaut_jpeg())))
            log += os.read(reader, 8192)
    process.send_signal(signal.SIGTERM)
    os.close(reader)
    out, _ = process.communicate(timeout=20)
    assert (process.returncode, out) == (0, "")


@pytest.mark.parametrize(("sink", "workers"), [(_closed_pipe, 1), (_full_disk, 2)])
async def test_a_log_that_takes_nothing_stops_no_server(
    model_dir: Path, sink: Callable[[], IO[bytes]], workers: int
) -> None:
    command = [*serve_command(model_dir), "-vv", "--access-log", "--workers", str(workers)]
    process = _serve(command, sink())
    assert process.stdout is not None
    address = process.stdout.readline().removeprefix("ferserve ready on ").partition(" ")[0]
    async with stub_of(address) as stub:
        for _ in range(20):
            await stub.Classify(pb.ClassifyRequest(frame=pb.Frame(encoded=astronaut_jpeg())))
            with pytest.raises(grpc.aio.AioRpcError):
                await stub.Classify(UNKNOWN_MODEL)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=20)
    assert (process.returncode, out) == (0, "")
