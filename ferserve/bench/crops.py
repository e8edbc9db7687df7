"""``ferserve bench crops``: single faces, cut out already, against a server and against ONNX Runtime alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from ferserve.bench.clips import make_clip
from ferserve.bench.feeder import WARMUP_S, FeedPlan, FeedTally, feed
from ferserve.bench.messages import config_request, crop_bodies
from ferserve.bench.processes import receive, spawned
from ferserve.bench.raw_limit import raw_limit_crops
from ferserve.bench.streams import check_range, percentile, with_room_for
from ferserve.bench.target import Target, open_target
from ferserve.bench.tensors import tensor_bodies
from ferserve.bench.unary_feeder import feed_unary
from ferserve.config import Config
from ferserve.errors import InvalidFrameError
from ferserve.processors import usable_processors

SIDE_PX = 48
_FRAMES_A_CONNECTION = 4
"""What a stream of ``Delivery.EVERY`` may have unanswered; so all that is outstanding reaches the server."""


@dataclass(frozen=True)
class CropsPlan:
    """What to send. ``target`` empty for a server of our own, of the given configuration."""

    outstanding: int = 32
    """Messages under way at once."""
    batch: int = 1
    """Crops a message."""
    seconds: float = 10.0
    target: str = ""
    source: str = ""
    model: str = ""
    raw_seconds: float = 6.0
    """How long to measure the limit without a server, half before and half after; 0 for not at all."""
    door: str = "native"
    """``native`` for crops in streams of our own protocol, ``oip`` for tensors by ModelInfer."""

    def __post_init__(self) -> None:
        check_range("--outstanding", self.outstanding, 1, 1024)
        check_range("--batch", self.batch, 1, 1024)
        check_range("--seconds", self.seconds, 0.1, 86_400)
        check_range("--raw-seconds", self.raw_seconds, 0, 86_400)


@dataclass(frozen=True)
class CropsReport:
    """Milliseconds count from the send of a message to its answer. None: could not be measured."""

    door: str
    outstanding: int
    batch: int
    seconds: float
    per_second: float
    """Crops answered."""
    raw_limit_per_second: float | None
    """The model alone in ONNX Runtime, on all cores of this machine."""
    ratio: float | None
    server_cpu_s_per_1000: float | None
    """CPU seconds of the server for 1,000 crops."""
    model_cpu_s_per_1000: float | None
    """All cores for as long as the model alone takes for 1,000."""
    p50_ms: float | None
    p99_ms: float | None
    failed: int
    generator_cpu_cores: float


def bench_crops(plan: CropsPlan, config: Config, say: Callable[[str], None]) -> CropsReport:
    """Run ``plan``; ``say`` hears what is being done. Raises :class:`ferserve.errors.FerserveError`."""
    crops = _cut_faces(plan.source)
    config = with_room_for(config, plan.outstanding, faces=plan.batch)
    limits = [_raw(plan, config, say)]
    with open_target(plan.target, config) as target:
        say(f"sending crops to {target.address} for {plan.seconds:g} s")
        tally, spent = _feed(plan, crops, target)
    if tally.fault and not tally.crops:
        raise InvalidFrameError(tally.fault)
    limits.append(_raw(plan, config, say))
    return _report(plan, tally, spent, max(limits))


def _cut_faces(source: str) -> list[bytes]:
    """Grey faces of 48x48 px, as bytes."""
    clip = make_clip(source, 320, 240, 1, 8.0)
    crops = []
    for encoded, boxes in zip(clip.frames, clip.boxes, strict=True):
        grey = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_GRAYSCALE)
        assert grey is not None
        x0, y0, x1, y1 = (max(0, round(v)) for v in (boxes[0] if boxes else (0, 0, clip.width, clip.height)))
        face = cv2.resize(grey[y0:y1, x0:x1], (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
        crops.append(face.tobytes())
    return crops


def _feed(plan: CropsPlan, crops: list[bytes], target: Target) -> tuple[FeedTally, float | None]:
    """What came back, and the CPU seconds that the server spent meanwhile."""
    is_native = plan.door == "native"
    order = FeedPlan(
        target=target.address,
        connections=max(1, plan.outstanding // _FRAMES_A_CONNECTION),
        outstanding=plan.outstanding,
        seconds=plan.seconds,
        bodies=crop_bodies(crops, SIDE_PX, plan.batch)
        if is_native
        else tensor_bodies(target.address, plan.model, crops, SIDE_PX, plan.batch),
        config=config_request(model=plan.model, delivery="every", smoothing_ms=0.0),
        batch=plan.batch,
    )
    with spawned(feed if is_native else feed_unary, [order]) as (pipe,):
        begin_s = time.monotonic() + WARMUP_S
        pipe.send(int(begin_s * 1e9))
        before = target.stats_at(begin_s)
        after = target.stats_at(begin_s + plan.seconds)
        return receive(pipe), after.cpu_s - before.cpu_s if before and after else None


def _raw(plan: CropsPlan, config: Config, say: Callable[[str], None]) -> float:
    if not plan.raw_seconds:
        return 0.0
    say("measuring the model without a server")
    return raw_limit_crops(config.engine, plan.batch, plan.raw_seconds / 2)


def _report(plan: CropsPlan, tally: FeedTally, spent_s: float | None, raw_limit: float) -> CropsReport:
    rate = tally.crops / tally.seconds
    latencies_ms = np.array(tally.latencies, np.int64) / 1e6
    cores = usable_processors()
    return CropsReport(
        door=plan.door,
        outstanding=plan.outstanding,
        batch=plan.batch,
        seconds=plan.seconds,
        per_second=round(rate, 1),
        raw_limit_per_second=round(raw_limit, 1) or None,
        ratio=round(rate / raw_limit, 3) if raw_limit else None,
        server_cpu_s_per_1000=round(1000 * spent_s / max(tally.crops, 1), 3) if spent_s is not None else None,
        model_cpu_s_per_1000=round(1000 * cores / raw_limit, 3) if raw_limit else None,
        p50_ms=percentile(latencies_ms, 50),
        p99_ms=percentile(latencies_ms, 99),
        failed=tally.failed,
        generator_cpu_cores=round(tally.cpu_s / tally.seconds, 3),
    )
