"""How many servers, processors, proxies and lines a number of cameras needs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ferserve.errors import ConfigError
from ferserve.sizing.cost import Cost, FrameCost
from ferserve.sizing.queueing import Queue

MAX_CAMERAS = 10_000_000
MAX_SIDE = 8192
MAX_DROPS = 0.001
"""Share of the frames that may be dropped."""
MAX_P99_MS = 50.0
_BOUND = 1.25
"""What HAProxy's ``hash-balance-factor 125`` allows the fullest server over the mean."""
_MOST_LOAD = 0.7
"""Of a server's processors: a second server may fail, and films with more motion cost more."""
_WIRE = 1.04
"""TCP, IP, Ethernet and HTTP/2 around a frame."""


@dataclass(frozen=True)
class Demand:
    """What the cameras send. Raises :class:`ConfigError` for a number out of range."""

    cameras: int
    fps: float = 30.0
    width: int = 640
    height: int = 480

    def __post_init__(self) -> None:
        _check("--cameras", self.cameras, 1, MAX_CAMERAS)
        _check("--fps", self.fps, 0.1, 1000)
        for side in (self.width, self.height):
            _check("--size", side, 32, MAX_SIDE, " px per side")


def _check(name: str, value: float, low: float, high: float, unit: str = "") -> None:
    if not low <= value <= high:
        raise ConfigError(f"{name} must be from {low:g} to {high:g}{unit}, got {value:g}")


@dataclass(frozen=True)
class Fleet:
    """What it takes. A server is one worker with its processors; network in Gbit/s."""

    cameras: int
    frames_per_s: float
    cameras_per_server: int
    """On average: the fullest server has more, and holds them too."""
    fullest_server: int
    servers: int
    processors: int
    """Of all servers."""
    processors_busy: float
    memory_gb: float
    network_gbit: float
    """From the cameras."""
    results_gbit: float
    """To whoever takes the results, if there is one face per frame."""
    proxy_processors: float
    p99_ms: float
    """Of the fullest server, from capture to answer, without the network."""
    dropped: float
    """Share of the frames of the fullest server."""


def size_fleet(demand: Demand, cost: Cost, processors_per_server: int = 2, *, bounded: bool = False) -> Fleet:
    """The smallest fleet whose fullest server keeps within :data:`MAX_DROPS`, :data:`MAX_P99_MS` and 70 % load.

    ``bounded``: the proxy bounds shares, so that no server gets more than 1.25 of the mean. Raises
    :class:`ConfigError` if one camera alone is too much for a server.
    """
    _check("--processors", processors_per_server, 1, 256)
    frame = cost.of(demand.width, demand.height)
    most = _most_cameras(demand, frame, processors_per_server)
    if most < 1:
        raise ConfigError(
            f"--fps must be less than a server of {processors_per_server} processors can answer of one camera, got "
            f"{demand.fps:g} frames of {demand.width}x{demand.height} at {frame.cpu_ms:.1f} ms; raise --processors"
        )
    servers = _servers(demand.cameras, most, bounded=bounded)
    fullest = min(fullest_share(demand.cameras, servers, bounded=bounded), most)
    frames_per_s = demand.cameras * demand.fps
    queue = queue_of(fullest * demand.fps, demand.fps, frame, processors_per_server)
    return Fleet(
        cameras=demand.cameras,
        frames_per_s=frames_per_s,
        cameras_per_server=math.ceil(demand.cameras / servers),
        fullest_server=fullest,
        servers=servers,
        processors=servers * processors_per_server,
        processors_busy=frames_per_s * frame.cpu_ms / 1000,
        memory_gb=servers * cost.worker_mb / 1000,
        network_gbit=frames_per_s * frame.frame_bytes * 8 * _WIRE / 1e9,
        results_gbit=frames_per_s * cost.result_bytes * 8 * _WIRE / 1e9,
        proxy_processors=frames_per_s * cost.proxy_cpu_ms * max(1, frame.frame_bytes / cost.proxy_frame_bytes) / 1000,
        p99_ms=p99_ms(queue, frame),
        dropped=queue.dropped(),
    )


def queue_of(frames_per_s: float, fps: float, frame: FrameCost, processors: int) -> Queue:
    """The queue of one server whose cameras send ``fps`` each, with ``LATEST``."""
    return Queue(frames_per_s, frame.cpu_ms / 1000, processors, 1 / fps, (1 + frame.variation) / 2)


def p99_ms(queue: Queue, frame: FrameCost) -> float:
    """From capture to answer: a frame that waits, or one that is hard by itself."""
    return max(frame.alone_p99_ms, frame.alone_p50_ms + 1000 * queue.wait_quantile_s(0.99))


def fullest_share(cameras: int, servers: int, *, bounded: bool) -> int:
    """Streams of the fullest server if a hash spreads them: the mean and as many standard deviations as the largest of
    ``servers`` normal values is expected above it."""
    mean = cameras / servers
    spread = math.ceil(mean + math.sqrt(2 * math.log(servers) * mean * (1 - 1 / servers)))
    return min(cameras, spread, math.ceil(_BOUND * mean) if bounded else spread)


def _most_cameras(demand: Demand, frame: FrameCost, processors: int) -> int:
    low, high = 0, 1 + math.ceil(_MOST_LOAD * processors / (demand.fps * frame.cpu_ms / 1000))
    while low < high - 1:
        middle = (low + high) // 2
        queue = queue_of(middle * demand.fps, demand.fps, frame, processors)
        fits = queue.load <= _MOST_LOAD and queue.dropped() <= MAX_DROPS
        fits = fits and p99_ms(queue, frame) <= max(MAX_P99_MS, frame.alone_p99_ms)
        low, high = (middle, high) if fits else (low, middle)
    return low


def _servers(cameras: int, most: int, *, bounded: bool) -> int:
    """The fewest whose fullest has no more than ``most``."""
    low, high = math.ceil(cameras / most), cameras
    while low < high:
        middle = (low + high) // 2
        if fullest_share(cameras, middle, bounded=bounded) <= most:
            high = middle
        else:
            low = middle + 1
    return low
