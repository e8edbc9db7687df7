"""``ferserve bench streams``: live cameras against a server, and against no server."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferserve.bench.cameras import WARMUP_S, CameraPlan, CameraTally, play
from ferserve.bench.clips import Clip, make_clip
from ferserve.bench.messages import config_request, frame_bodies
from ferserve.bench.process_stats import ProcessStats
from ferserve.bench.processes import receive, spawned
from ferserve.bench.raw_limit import raw_limit_fps
from ferserve.bench.target import Target, open_target
from ferserve.config import Config
from ferserve.errors import ConfigError

_LEAD_S = 0.2
"""From the order to start until the first picture, so that every process gets it in time."""
_FPS_A_PROCESS = 4_000
"""What one generator process plays with time to spare."""


@dataclass(frozen=True)
class StreamsPlan:
    """What to play. ``target`` empty for a server of our own, of ``config``."""

    cameras: int
    fps: float = 30.0
    seconds: float = 10.0
    faces: int = 1
    width: int = 640
    height: int = 480
    target: str = ""
    source: str = ""
    model: str = ""
    delivery: str = "latest"
    boxes: bool = False
    """Send the boxes of the faces, so that nothing has to be detected."""
    late_ms: float = 50.0
    raw_seconds: float = 6.0
    """How long to measure the limit without a server, half before and half after; 0 for not at all."""

    def __post_init__(self) -> None:
        check_range("--cameras", self.cameras, 1, 10_000)
        check_range("--fps", self.fps, 0.1, 1000)
        check_range("--seconds", self.seconds, 0.1, 86_400)
        check_range("--faces", self.faces, 1, 16)
        check_range("--late-ms", self.late_ms, 0, 60_000)
        check_range("--raw-seconds", self.raw_seconds, 0, 86_400)
        for side in (self.width, self.height):
            check_range("--size", side, 32, 8192)


def check_range(name: str, value: float, low: float, high: float) -> None:
    """Raises :class:`ConfigError` if the value of a flag is out of range, or no number."""
    if not low <= value <= high:
        raise ConfigError(f"{name} must be from {low:g} to {high:g}, got {value:g}")


@dataclass(frozen=True)
class StreamsReport:
    """Milliseconds count from the scheduled capture of a frame to its answer. None: could not be measured."""

    cameras: int
    fps: float
    seconds: float
    sent: int
    answered: int
    """With faces or with none; the rest of ``sent`` is in dropped, faults and lost."""
    dropped: int
    late: int
    """Answered more than ``late_ms`` after their capture."""
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    server_cpu_cores: float | None
    server_rss_mb: float | None
    frames_per_second: float
    """Answered, with faces or with none."""
    raw_limit_fps: float | None
    """Decode and models with no server, on all cores of this machine."""
    ratio: float | None
    """``frames_per_second`` over ``raw_limit_fps``; in an open loop at most what the cameras ask for."""
    late_ms: float
    faults: int
    lost: int
    dropped_for: dict[str, int]
    faces_per_frame: float
    least_share: float
    """Answers of the camera that got the fewest, over the mean of all."""
    stages_ms: dict[str, float]
    """Means of the timings that the server gives with each answer."""
    generator_cpu_cores: float
    generator_lag_p99_ms: float
    """The generator's own lateness in sending, which the latencies include."""


def bench_streams(plan: StreamsPlan, config: Config, say: Callable[[str], None]) -> StreamsReport:
    """Play ``plan``; ``say`` hears what is being done. Raises :class:`ferserve.errors.FerserveError`."""
    say("encoding the clip")
    clip = make_clip(plan.source, plan.width, plan.height, plan.faces, plan.fps)
    config = with_room_for(config, plan.cameras)
    limits = [_raw(plan, config, clip, say)]
    with open_target(plan.target, config) as target:
        say(f"playing {plan.cameras} cameras to {target.address} for {plan.seconds:g} s")
        tally, before, after = _play(plan, clip, target)
    limits.append(_raw(plan, config, clip, say))
    return _report(plan, tally, before, after, max(limits))


def with_room_for(config: Config, streams: int, faces: int = 1) -> Config:
    """``config`` with room for the ``streams`` of one generator and for ``faces`` per frame; without TLS, which the
    generator does not speak."""
    engine = dataclasses.replace(config.engine, max_faces=max(config.engine.max_faces, faces))
    most = max(config.server.max_streams_per_client, streams)
    plain = dataclasses.replace(config.server, tls_cert="", tls_key="", tls_client_ca="")
    return Config(engine, dataclasses.replace(plain, port=0, max_streams_per_client=most))


def _raw(plan: StreamsPlan, config: Config, clip: Clip, say: Callable[[str], None]) -> float:
    if not plan.raw_seconds:
        return 0.0
    say("measuring decode and models without a server")
    return raw_limit_fps(config.engine, clip, boxes=plan.boxes, seconds=plan.raw_seconds / 2)


def _play(
    plan: StreamsPlan, clip: Clip, target: Target
) -> tuple[CameraTally, ProcessStats | None, ProcessStats | None]:
    """All cameras, in as many processes as they need, and what the server had used before and after."""
    processes = min(plan.cameras, 1 + int(plan.cameras * plan.fps / _FPS_A_PROCESS))
    whole = CameraPlan(
        target=target.address,
        numbers=tuple(range(plan.cameras)),
        total=plan.cameras,
        fps=plan.fps,
        seconds=plan.seconds,
        config=config_request(model=plan.model, delivery=plan.delivery),
        bodies=frame_bodies(clip, boxes=plan.boxes),
    )
    plans = [dataclasses.replace(whole, numbers=whole.numbers[i::processes]) for i in range(processes)]
    with spawned(play, plans) as pipes:
        start_s = time.monotonic() + _LEAD_S
        for pipe in pipes:
            pipe.send(int(start_s * 1e9))
        before = target.stats_at(start_s + WARMUP_S)
        after = target.stats_at(start_s + WARMUP_S + plan.seconds)
        tally = CameraTally()
        for pipe in pipes:
            tally.add(receive(pipe))
        return tally, before, after


def _report(
    plan: StreamsPlan, tally: CameraTally, before: ProcessStats | None, after: ProcessStats | None, raw_limit: float
) -> StreamsReport:
    latencies_ms = np.array(tally.latencies, np.int64) / 1e6
    answers = list(tally.answered_of.values())
    rate = tally.answered / plan.seconds
    return StreamsReport(
        cameras=plan.cameras,
        fps=plan.fps,
        seconds=plan.seconds,
        sent=tally.sent,
        answered=tally.answered,
        dropped=sum(tally.dropped.values()),
        late=int(np.count_nonzero(latencies_ms > plan.late_ms)),
        p50_ms=percentile(latencies_ms, 50),
        p95_ms=percentile(latencies_ms, 95),
        p99_ms=percentile(latencies_ms, 99),
        server_cpu_cores=round((after.cpu_s - before.cpu_s) / plan.seconds, 3) if before and after else None,
        server_rss_mb=round(after.rss_mb, 1) if after else None,
        frames_per_second=round(rate, 1),
        raw_limit_fps=round(raw_limit, 1) or None,
        ratio=round(rate / raw_limit, 3) if raw_limit else None,
        late_ms=plan.late_ms,
        faults=tally.faults,
        lost=tally.lost,
        dropped_for=dict(sorted(tally.dropped.items())),
        faces_per_frame=round(tally.faces / max(tally.answered, 1), 3),
        least_share=round(min(answers) * len(answers) / max(sum(answers), 1), 3),
        stages_ms={stage: round(spent / max(tally.answered, 1), 3) for stage, spent in tally.stages.items()},
        generator_cpu_cores=round(tally.cpu_s / plan.seconds, 3),
        generator_lag_p99_ms=percentile(np.array(tally.lags, np.int64) / 1e6, 99) or 0.0,
    )


def percentile(values: NDArray[np.float64], percent: float) -> float | None:
    """Of ``values``, rounded to microseconds; None if there are no values."""
    return round(float(np.percentile(values, percent)), 3) if len(values) else None
