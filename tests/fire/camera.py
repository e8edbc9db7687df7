"""A healthy camera in a process of its own: ten JPEG pictures of 640 x 480 per second, each timed from when it was due.

As a script it takes an address. Per line on stdin it prints a line of figures, those since the line before.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ferserve.v1 import emotion_pb2 as pb
from ferserve.v1 import emotion_pb2_grpc
from ferserve.wire.metadata import authorization
from tests import builders

FPS = 10
_PROBE_S = 0.05
_PATIENCE_S = 3.0
"""How long the last frames of a window may wait for their answers."""


@dataclass
class Window:
    """What became of the frames that were due in a stretch of time."""

    sent: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    """Answers by kind: ``faces``, ``fault``, or a reason of a drop."""
    latencies_ms: list[float] = field(default_factory=list)
    """Of the answered frames, from when each was due."""
    lags_ms: list[float] = field(default_factory=list)
    """Times of health checks: how long the event loop lets a call wait that needs no worker."""
    error: str = ""
    """What ended the stream, if it ended."""

    @property
    def answered(self) -> float:
        """Share of the frames that were classified."""
        return self.outcomes.get("faces", 0) / max(self.sent, 1)

    def p99_ms(self) -> float:
        """Of the answered frames."""
        return percentile(self.latencies_ms, 0.99)


def percentile(values: list[float], share: float) -> float:
    """The smallest value that ``share`` of the values do not exceed; infinite without values."""
    return sorted(values)[math.ceil(share * len(values)) - 1] if values else math.inf


class CameraProcess:
    """The camera, seen from the test. A context manager."""

    def __init__(self, address: str) -> None:
        command = [sys.executable, "-m", "tests.fire.camera", address]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
        )
        assert self._process.stdout is not None
        assert self._process.stdin is not None
        assert self._process.stdout.readline() == "open\n"

    def mark(self) -> Window:
        """The figures since the last mark, once the frames until now had their time; starts a new window."""
        assert self._process.stdout is not None
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return Window(**json.loads(self._process.stdout.readline()))

    def __enter__(self) -> CameraProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


class _Camera:
    """The stream of the camera's process, and the health checks beside it."""

    def __init__(self, stub: Any, health: Any) -> None:
        self._call = stub.ClassifyStream(metadata=authorization(os.environ.get("FERSERVE_TOKEN", "")))
        self._health = health
        self._waiting: dict[int, tuple[float, Window]] = {}
        self._window = Window()
        self._ended = asyncio.Event()

    async def open(self) -> None:
        await self._call.write(pb.ClassifyStreamRequest(config=pb.StreamConfig(delivery=pb.DELIVERY_LATEST)))
        await self._call.read()

    async def mark(self) -> Window:
        done, self._window = self._window, Window()
        for _ in range(int(_PATIENCE_S * 100)):
            if all(window is not done for _, window in self._waiting.values()):
                break
            await asyncio.sleep(0.01)
        self._window.error = done.error
        return done

    async def send(self) -> None:
        clip = builders.jpeg_clip(4 * FPS, fps=FPS)
        started = time.monotonic()
        for number in range(1, sys.maxsize):
            due = started + number / FPS
            await asyncio.sleep(due - time.monotonic())
            self._window.sent += 1
            self._waiting[number] = (due, self._window)
            if not self._ended.is_set():
                frame = pb.Frame(frame_id=number, encoded=clip[number % len(clip)], capture_time_ns=time.monotonic_ns())
                with contextlib.suppress(Exception):  # the reader tells why
                    await self._call.write(pb.ClassifyStreamRequest(frame=frame))

    async def read(self) -> None:
        try:
            while (response := await self._call.read()) is not grpc.aio.EOF:
                self._take(response.result)
            self._window.error = f"{await self._call.code()}: {await self._call.details()}"
        except Exception as error:
            self._window.error = repr(error)
        self._ended.set()

    def _take(self, result: Any) -> None:
        due, window = self._waiting.pop(result.frame_id)
        kind = result.WhichOneof("outcome")
        kind = pb.Dropped.Reason.Name(result.dropped.reason) if kind == "dropped" else kind
        window.outcomes[kind] = window.outcomes.get(kind, 0) + 1
        window.latencies_ms.append((time.monotonic() - due) * 1e3)

    async def probe(self) -> None:
        while True:
            asked = time.monotonic()
            window = self._window
            try:
                await self._health.Check(health_pb2.HealthCheckRequest(), timeout=_PATIENCE_S)
            except Exception:
                await asyncio.sleep(_PROBE_S)
            window.lags_ms.append((time.monotonic() - asked) * 1e3)
            await asyncio.sleep(_PROBE_S)


async def _main(address: str) -> None:
    async with grpc.aio.insecure_channel(address) as channel:
        camera = _Camera(
            emotion_pb2_grpc.EmotionServiceStub(channel),  # type: ignore[no-untyped-call]
            health_pb2_grpc.HealthStub(channel),
        )
        await camera.open()
        tasks = [asyncio.ensure_future(work()) for work in (camera.send, camera.read, camera.probe)]
        print("open", flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps(asdict(await camera.mark())), flush=True)
        for task in tasks:
            task.cancel()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1]))
