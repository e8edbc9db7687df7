"""One server and its cameras, frame by frame: what the formulas of ``ferserve.sizing`` are compared with."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """``waits_s`` of the answered frames, sorted."""

    dropped: float
    waits_s: list[float]

    def quantile_s(self, share: float) -> float:
        return self.waits_s[min(len(self.waits_s) - 1, int(share * len(self.waits_s)))]


def simulate(
    cameras: int,
    fps: float,
    processors: int,
    service_s: Callable[[random.Random], float],
    seconds: float,
    seed: int = 0,
) -> Outcome:
    """Cameras with even steps and phases of their own; the newest frame of each waits, and takes the place of an older
    one, as ``LATEST`` does. Frames are served in order of their camera's place in the line.
    """
    luck = random.Random(seed)
    phases = [luck.random() / fps for _ in range(cameras)]
    arrivals = sorted((phase + n / fps, i) for i, phase in enumerate(phases) for n in range(int(seconds * fps)))
    free = [0.0] * processors
    line: dict[int, float] = {}
    waits: list[float] = []
    sent = dropped = 0

    def serve(until: float) -> None:
        while line and free[0] < until:
            camera = next(iter(line))
            came = line.pop(camera)
            begins = max(free[0], came)
            waits.append(begins - came)
            heapq.heapreplace(free, begins + service_s(luck))

    for now, camera in itertools.chain(arrivals, [(float("inf"), -1)]):
        serve(now)
        if camera < 0:
            break
        sent += 1
        if camera in line:
            dropped += 1
        line[camera] = now
    return Outcome(dropped / sent, sorted(waits))
