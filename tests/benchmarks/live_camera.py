"""How a camera that is killed again and again is followed: outages, latency, leaks.

python -m tests.benchmarks.live_camera --minutes 5 --kills 10

The camera paints the time into its pictures as a bar code, so latency is read from the pixels: when a frame is handed
out, and when its result is there. An engine in this process answers the frames. The exit code is 1 if a goal is missed:
back within 2 s of each return, 99 % of the results at most 200 ms behind, no threads and descriptors left over.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from ferserve.local import LocalClient
from ferserve.options import Delivery, StreamOptions
from ferserve.sources.live_source import LiveSource
from ferserve.sources.source import FrameSource, open_source
from ferserve.sources.status import SourceState, SourceStatus
from ferserve.types import Frame, FrameResult, RawImage
from tests.serving.camera_process import CameraProcess
from tests.serving.painted_time import age_ms

BACK_S = 2.0
BEHIND_MS = 200.0
_LONGEST_AWAY_S = 5.0
_SETTLE_S = 12.0
"""A reader that is left behind in FFmpeg ends within its timeout."""


@dataclass
class Figures:
    """What one run saw."""

    handed_ms: list[float] = field(default_factory=list)
    answered_ms: list[float] = field(default_factory=list)
    back_s: list[float] = field(default_factory=list)
    dropped: int = 0
    outages: int = 0


class _Run:
    def __init__(self, camera: CameraProcess, seconds: float, kills: int, figures: Figures) -> None:
        self._camera = camera
        self._seconds = seconds
        self._kills = kills
        self._figures = figures
        self._painted_ms: dict[int, float] = {}
        self._is_live = threading.Event()

    def run(self, client: LocalClient) -> None:
        source = open_source(LiveSource(self._camera.url, on_state=self._on_state))
        killer = threading.Thread(target=self._kill_and_end, args=(source,))
        killer.start()
        for result in client.stream(self._frames(source), StreamOptions(delivery=Delivery.LATEST)):
            painted_ms = self._painted_ms.pop(result.frame_id, None)
            if result.ok and painted_ms is not None:
                self._figures.answered_ms.append(time.monotonic() * 1e3 - painted_ms)
            self._figures.dropped += result.dropped is not None
            self._figures.outages += result.fault is not None and result.fault.code == "source_lost"
        killer.join()

    def _frames(self, source: FrameSource) -> Iterator[Frame | FrameResult]:
        for item in source.frames:
            if isinstance(item, Frame) and isinstance(item.payload, RawImage):
                age = age_ms(np.asarray(item.payload.data))
                self._figures.handed_ms.append(age)
                self._painted_ms[item.frame_id] = time.monotonic() * 1e3 - age
            yield item

    def _on_state(self, status: SourceStatus) -> None:
        print(f"{time.strftime('%H:%M:%S')} {status}", flush=True)
        if status.state is SourceState.LIVE:
            self._is_live.set()

    def _kill_and_end(self, source: FrameSource) -> None:
        chance = random.Random(1)
        end_s = time.monotonic() + self._seconds
        for _ in range(self._kills):
            time.sleep(chance.uniform(0.5, 1) * (self._seconds / self._kills - _LONGEST_AWAY_S))
            self._camera.kill()
            time.sleep(chance.uniform(0.2, _LONGEST_AWAY_S))
            self._is_live.clear()
            self._camera.start(chance.choice(("640x480", "800x600", "1280x720")))
            returned_s = time.monotonic()
            came = self._is_live.wait(60)
            self._figures.back_s.append(time.monotonic() - returned_s if came else float("inf"))
        time.sleep(max(end_s - time.monotonic(), 0))
        source.stop()


def _open_things() -> tuple[int, int]:
    """Threads and descriptors of this process."""
    return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))


def _settled(before: tuple[int, int]) -> tuple[int, int]:
    end_s = time.monotonic() + _SETTLE_S
    while (now := _open_things()) > before and time.monotonic() < end_s:
        time.sleep(0.2)
    return now


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--protocol", choices=("rtsp", "http"), default="rtsp")
    given = parser.parse_args()
    figures = Figures()
    with LocalClient() as client, CameraProcess(given.protocol, "640x480") as camera:
        _Run(camera, 3, 0, Figures()).run(client)  # what libraries start once, they start now
        before = _settled((0, 0))
        _Run(camera, given.minutes * 60, given.kills, figures).run(client)
        after = _settled(before)
    p99_ms = float(np.percentile(figures.answered_ms, 99))
    slowest_s = max(figures.back_s, default=0.0)
    counts = f"{len(figures.handed_ms)}, answered {len(figures.answered_ms)}, dropped {figures.dropped}"
    print(f"frames handed out      {counts}")
    print(f"outages                {figures.outages}")
    print("back after return, s   " + " ".join(f"{seconds:.2f}" for seconds in figures.back_s))
    for name, ages in (("handed out", figures.handed_ms), ("answered", figures.answered_ms)):
        half, most = np.percentile(ages, [50, 99])
        print(f"{f'behind live, {name}':22} p50 {half:.0f} ms, p99 {most:.0f} ms, most {max(ages):.0f} ms")
    print(f"threads, descriptors   {before} before, {after} after")
    met = slowest_s <= BACK_S and p99_ms <= BEHIND_MS and after[0] <= before[0] and after[1] <= before[1]
    print("all goals are met" if met else "a goal is missed")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
