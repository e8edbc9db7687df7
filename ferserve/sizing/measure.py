"""Measures what a frame costs here, with a server and cameras of its own."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ferserve.bench.clips import Clip, make_clip
from ferserve.bench.streams import StreamsPlan, StreamsReport, bench_streams
from ferserve.bench.target import open_target
from ferserve.client import Client
from ferserve.config import Config
from ferserve.errors import FerserveError
from ferserve.options import Delivery, StreamOptions
from ferserve.processors import usable_processors
from ferserve.sizing.cost import Cost, FrameCost, shipped_cost
from ferserve.types import EncodedImage, Frame

_CAMERAS_PER_PROCESSOR = 8
"""Of 640x480: about a third of what they can do, so that none is dropped on a machine that is not quite idle."""
_VGA = 640 * 480
_FPS = 30.0
_WORK = ("decode_ms", "detect_ms", "preprocess_ms", "infer_ms")


def measure_cost(sizes: Sequence[tuple[int, int]], seconds: float, say: Callable[[str], None]) -> Cost:
    """Play cameras of each of ``sizes`` for ``seconds``; costs of proxies and answers are the shipped ones.

    Raises :class:`FerserveError` if nothing is answered.
    """
    shipped = shipped_cost()
    measured = [_measure(width, height, seconds, say) for width, height in sizes]
    return Cost(
        machine=_machine(),
        date=time.strftime("%Y-%m-%d", time.gmtime()),
        frames=tuple(frame for frame, _ in measured),
        worker_mb=max(worker_mb for _, worker_mb in measured),
        result_bytes=shipped.result_bytes,
        proxy_cpu_ms=shipped.proxy_cpu_ms,
        proxy_frame_bytes=shipped.proxy_frame_bytes,
    )


def _measure(width: int, height: int, seconds: float, say: Callable[[str], None]) -> tuple[FrameCost, float]:
    clip = make_clip("", width, height, 1, _FPS)
    cameras = max(1, round(_CAMERAS_PER_PROCESSOR * usable_processors() * min(1.0, _VGA / (width * height))))
    plan = StreamsPlan(cameras, _FPS, seconds, width=width, height=height, raw_seconds=0)
    busy = bench_streams(plan, Config(), say)
    alone = bench_streams(StreamsPlan(1, _FPS, seconds, width=width, height=height, raw_seconds=0), Config(), say)
    if not busy.answered or not alone.answered or busy.server_cpu_cores is None:
        raise FerserveError("cannot measure what a frame costs: no frame was answered; end other work on this machine")
    cost = FrameCost(
        width=width,
        height=height,
        faces=1,
        cpu_ms=round(1000 * busy.server_cpu_cores * seconds / busy.answered, 4),
        alone_p50_ms=alone.p50_ms or 0.0,
        alone_p99_ms=alone.p99_ms or 0.0,
        frame_bytes=round(statistics.mean(map(len, clip.frames))),
        variation=round(_variation(clip), 3),
    )
    return cost, _worker_mb(busy)


def _worker_mb(report: StreamsReport) -> float:
    return report.server_rss_mb or shipped_cost().worker_mb


def _variation(clip: Clip) -> float:
    """Squared coefficient of variation of the work on a frame, of the frames of one stream."""
    frames = [Frame(i + 1, EncodedImage(jpeg), int((i + 1) * 1e9 / _FPS)) for i, jpeg in enumerate(clip.frames)]
    with open_target("", Config()) as target, Client(target.address, max_in_flight=1) as client:
        results = list(client.stream(frames, StreamOptions(delivery=Delivery.EVERY)))
    times = [sum(getattr(result.timings, name) for name in _WORK) for result in results if result.ok]
    return float(statistics.pvariance(times) / statistics.mean(times) ** 2)


def _machine() -> str:
    return f"{_processor()}, {usable_processors()} processors, {platform.system()} {platform.machine()}"


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        text = ""
    names = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown processor"
