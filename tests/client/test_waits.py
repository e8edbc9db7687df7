"""Whatever blocks, a call of a client ends in time, and Ctrl-C ends the program."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import ferserve
from ferserve.client import session, tasks
from ferserve.engine import Engine

UNREAD = "image must be readable within 0\\.1 s"


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """A named pipe that nobody writes to: opening it blocks."""
    path = tmp_path / "pipe.jpg"
    os.mkfifo(path)
    return path


def test_reading_a_picture_that_never_comes_ends_with_the_timeout(served: str, pipe: Path) -> None:
    with ferserve.Client(served) as client:
        with pytest.raises(ferserve.FrameDeadlineError, match=UNREAD):
            client.classify(pipe, timeout_s=0.1)
        assert client.models()  # the event loop is free


def test_so_does_the_local_client(engine: Engine, pipe: Path) -> None:
    with ferserve.LocalClient(engine) as client, pytest.raises(ferserve.FrameDeadlineError, match=UNREAD):
        client.classify(pipe, timeout_s=0.1)


async def test_so_does_the_asynchronous_client(address: str, pipe: Path) -> None:
    async with ferserve.AsyncClient(address) as client:
        with pytest.raises(ferserve.FrameDeadlineError, match=UNREAD):
            await client.classify(pipe, timeout_s=0.1)


def test_a_picture_that_comes_through_a_pipe_is_classified(served: str, pipe: Path) -> None:
    writer = threading.Thread(target=pipe.write_bytes, args=(b"no JPEG",))
    writer.start()
    with ferserve.Client(served) as client, pytest.raises(ferserve.InvalidFrameError):
        client.classify(pipe)
    writer.join()


def test_an_iterable_that_blocks_the_event_loop_holds_up_no_call_and_no_close(
    served: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_GRACE_S", 0.1)
    monkeypatch.setattr(session, "CLOSE_S", 0.1)
    monkeypatch.setattr(tasks, "CLOSE_S", 0.1)
    monkeypatch.setattr("ferserve.client.blocking.CLOSE_S", 0.1)
    armed, blocked, free = threading.Event(), threading.Event(), threading.Event()

    async def frames() -> AsyncIterator[bytes]:
        yield b"first"
        await asyncio.to_thread(armed.wait, 30)
        blocked.set()
        free.wait(30)  # not await: the whole loop stands still

    client = ferserve.Client(served)
    results = client.stream(frames(), fps=30)
    next(results)
    armed.set()
    assert blocked.wait(30)
    with pytest.raises(ferserve.FrameDeadlineError, match="may block its event loop"):
        client.models(timeout_s=0.1)
    results.close()
    client.close()
    assert not free.is_set()
    free.set()


PROGRAM = """
import math, sys
import ferserve

way, target, pipe, models = sys.argv[1:]
if way.startswith("local"):
    client = ferserve.LocalClient(ferserve.EngineConfig(model="brightness", model_dir=models, threads=1))
else:
    client = ferserve.Client(target, timeout_s=math.inf)
print("waits", flush=True)
list(client.stream(pipe)) if way.endswith("stream") else client.classify(pipe)
"""


@pytest.mark.parametrize("way", ["stream", "classify", "local stream", "local classify"])
def test_ctrl_c_ends_a_program_that_waits_for_a_source(way: str, served: str, pipe: Path, model_dir: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, way, served, str(pipe), str(model_dir)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waits\n"
        threading.Event().wait(0.3)  # most likely inside the call by now; right before it the outcome is the same
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=40)
    assert process.returncode == -signal.SIGINT
    assert errors.rstrip().endswith("KeyboardInterrupt")
