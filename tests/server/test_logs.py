"""``ferserve serve -v`` and ``-vv``: one line per event, on stderr."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import grpc
import pytest

from ferserve.v1 import emotion_pb2 as pb
from tests.serving.process import ServerProcess, serve_command
from tests.serving.streams import RawStream, astronaut_jpeg, stub_of

FRAME = pb.Frame(encoded=astronaut_jpeg())
FRAMES = {1: {"encoded": b"no image"}, 2: {"encoded": astronaut_jpeg()}}
NAME = "gate\n7"


async def _lines_of(command: list[str]) -> list[str]:
    """The log of a server that answered a call, refused a call, and answered a stream; without time and level."""
    with ServerProcess(command) as server:
        async with stub_of(server.address) as stub:
            await stub.Classify(pb.ClassifyRequest(frame=FRAME))
            with pytest.raises(grpc.aio.AioRpcError):
                await stub.Classify(pb.ClassifyRequest(frame=FRAME, options=pb.ClassifyOptions(model="a\nb")))
            stream = RawStream(stub)
            await stream.open(stream_id=NAME, delivery=pb.DELIVERY_EVERY)
            await stream.exchange(FRAMES)
            await stream.finish()
        server.process.send_signal(signal.SIGTERM)
        assert server.wait() == 0
        out, log = server.rest()
    assert out == ""
    lines = log.splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (INFO|DEBUG) ferserve\.", line) for line in lines)
    return [line.split(": ", 1)[1] for line in lines]


def _one(lines: list[str], pattern: str) -> None:
    assert len([line for line in lines if re.fullmatch(pattern, line)]) == 1, (pattern, lines)


EVENTS = [
    r"loading brightness, \d+ MB, and running it once",
    r"serving ferserve\.v1\.EmotionService\b.* on 127\.0\.0\.1:\d+, plain text",
    r"/ferserve\.v1\.EmotionService/Classify from ipv4:127\.0\.0\.1:\d+ refused: model_not_found: .*a\\nb.*",
    r"stream gate\\n7 from ipv4:127\.0\.0\.1:\d+ opened: model brightness, delivery every, priority normal",
    r"stream gate\\n7 from \S+ closed after \d+\.\d s: 2 frames answered, 1 of them faults, 0 dropped",
    r"draining ferserve\.v1\.EmotionService: calls in flight [01], grace 5 s",
    r"draining inference\.GRPCInferenceService: calls in flight [01], grace 5 s",
    r"stopped",
]


async def test_v_logs_streams_refusals_and_the_drain(model_dir: Path) -> None:
    lines = await _lines_of([*serve_command(model_dir), "-v"])
    for pattern in EVENTS:
        _one(lines, pattern)
    assert len(lines) == len(EVENTS), lines


async def test_vv_logs_every_frame_too(model_dir: Path) -> None:
    lines = await _lines_of([*serve_command(model_dir), "-vv"])
    for pattern in EVENTS:
        _one(lines, pattern)
    _one(lines, r"image from ipv4:127\.0\.0\.1:\d+: 1 face in \d+\.\d ms")
    _one(lines, r"stream gate\\n7 from \S+: frame 1: fault invalid_frame: .*")
    _one(lines, r"stream gate\\n7 from \S+: frame 2: 1 face in \d+\.\d ms")


async def test_workers_log_too(model_dir: Path) -> None:
    lines = await _lines_of([*serve_command(model_dir), "-v", "--workers", "2"])
    _one(lines, EVENTS[3])
    _one(lines, EVENTS[4])
    assert lines.count("stopped") == 2


async def test_without_v_nothing_is_logged(model_dir: Path) -> None:
    assert await _lines_of(serve_command(model_dir)) == []
