"""What a proxy costs: the same frames to the same server directly, through Envoy, and through HAProxy, in turns.

    python -m tests.benchmarks.proxies [--rounds 12] [--frames 300] [--json FILE]

Prints, against the direct way: the ratio of throughput of a stream at full speed and the difference of the median time
of a frame that is sent alone, each with an interval of 95 % (:mod:`tests.benchmarks.signed_rank`), and the proxy's
processor time per frame, which does not depend on what else the machine does. Proxies run the shipped files.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

import ferserve
from ferserve.bench.clips import make_clip
from ferserve.options import Delivery, StreamOptions
from ferserve.types import EncodedImage, Frame
from tests.benchmarks.environment import machine
from tests.benchmarks.signed_rank import interval
from tests.fire.server import FireServer
from tests.proxies.proxy import PROXIES, Proxy

_ERROR = 0.025
_NAMES = ("a", "b", "c")
DIRECT = "direct"


@dataclass(frozen=True)
class Block:
    """One turn of one way; times in s."""

    per_frame_s: float
    alone_s: float
    """Median of frames of which each is sent when the one before it is answered."""
    proxy_cpu_s: float
    """Per frame."""


@dataclass
class Way:
    """To the server, directly or through a proxy."""

    address: str
    proxy: psutil.Process | None = None

    def block(self, frames: list[Frame]) -> Block:
        """A stream at full speed, then one frame after the other."""
        options = StreamOptions(delivery=Delivery.EVERY)
        with ferserve.Client(self.address) as client:
            spent_s, started = self._cpu_s(), time.perf_counter()
            answered = sum(result.ok for result in client.stream(frames, options))
            seconds, spent_s = time.perf_counter() - started, self._cpu_s() - spent_s
        assert answered == len(frames)
        with ferserve.Client(self.address, max_in_flight=1) as client:
            times = list(_times(client.stream(frames, options)))
        return Block(seconds / answered, statistics.median(times), spent_s / answered)

    def _cpu_s(self) -> float:
        return sum(self.proxy.cpu_times()[:2]) if self.proxy else 0.0


def _times(results: Any) -> Iterator[float]:
    """Time of each result after the one before it, s."""
    before = time.perf_counter()
    for result in results:
        assert result.ok
        now = time.perf_counter()
        yield now - before
        before = now


@contextlib.contextmanager
def _ways() -> Iterator[dict[str, Way]]:
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(FireServer())
        ways = {DIRECT: Way(server.address)}
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name, kind in PROXIES.items():
            (folder / name).mkdir()
            # The shipped files name three servers; here they are one and the same.
            ports = dict.fromkeys(_NAMES, int(server.address.rpartition(":")[2]))
            proxy = stack.enter_context(kind(folder / name, ports))
            _wait(proxy)
            ways[name] = Way(proxy.address, psutil.Process(proxy.process.pid))
        yield ways


def _wait(proxy: Proxy) -> None:
    """Until the proxy knows a server that is healthy."""
    while proxy.process.poll() is None:
        with contextlib.suppress(OSError):
            if proxy.healthy():
                return
        time.sleep(0.1)


def measure(rounds: int, count: int) -> dict[str, Any]:
    """Figures of each proxy."""
    clip = make_clip("", 640, 480, 1, 30)
    pictures = [clip.frames[i % len(clip.frames)] for i in range(count)]
    frames = [Frame(i + 1, EncodedImage(picture), (i + 1) * 33_000_000) for i, picture in enumerate(pictures)]
    blocks: dict[str, list[Block]] = {}
    with _ways() as ways:
        for way in ways.values():
            way.block(frames[:30])
        for _ in range(rounds):
            for name in random.sample(list(ways), len(ways)):
                blocks.setdefault(name, []).append(ways[name].block(frames))
    return {name: _figures(blocks[DIRECT], blocks[name]) for name in ways if name != DIRECT} | {
        "frame_bytes": round(statistics.mean(map(len, pictures)))
    }


def _figures(direct: list[Block], through: list[Block]) -> dict[str, Any]:
    pairs = list(zip(direct, through, strict=True))
    ratio = interval(np.array([math.log(mine.per_frame_s / other.per_frame_s) for mine, other in pairs]), _ERROR)
    later = interval(np.array([1000 * (other.alone_s - mine.alone_s) for mine, other in pairs]), _ERROR)
    return {
        "throughput_ratio": [math.exp(value) for value in (ratio.middle, ratio.low, ratio.high)],
        "later_ms": [later.middle, later.low, later.high],
        "cpu_ms_per_frame": 1000 * statistics.median(block.proxy_cpu_s for block in through),
        "direct_ms_per_frame": 1000 * statistics.median(block.per_frame_s for block in direct),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.proxies")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    figures = measure(options.rounds, options.frames)
    print(f"frames of {figures['frame_bytes'] / 1000:.0f} KB, {options.rounds} rounds of {options.frames}")
    for name in PROXIES:
        found = figures[name]
        ratio, low, high = found["throughput_ratio"]
        later, least, most = found["later_ms"]
        print(
            f"{name}: throughput {ratio:.3f} of direct ({low:.3f} to {high:.3f}), a frame alone {later:+.2f} ms "
            f"({least:+.2f} to {most:+.2f}), {found['cpu_ms_per_frame']:.3f} ms of the proxy's processor time per frame"
        )
    if options.json:
        figures |= {"machine": machine(), "date": time.strftime("%Y-%m-%d", time.gmtime())}
        options.json.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
