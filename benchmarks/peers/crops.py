"""Single faces to servers: each peer over HTTP and ``ferserve serve`` over gRPC in turns, the same number under way."""

from __future__ import annotations

import socket
import statistics
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.http_load import HttpError, Request, ask, load
from benchmarks.peers.plain_model import PlainModel
from benchmarks.peers.scripts import Peer, PeerError
from ferserve.bench.crops import CropsPlan, bench_crops
from ferserve.bench.process_stats import process_stats
from ferserve.bench.target import open_target
from ferserve.config import Config, EngineConfig, ServerConfig
from tests import builders

OUTSTANDING = 32
READY_S = 120.0


def some_crops() -> list[bytes]:
    """A face at several places, 48x48 grey."""
    face = builders.scene()[160:290, 260:390, 1]
    return [np.ascontiguousarray(face[i : i + 48, i : i + 48]).tobytes() for i in range(0, 80, 5)]


def numbers_of(answer: Any) -> Iterator[float]:
    """Every number below ``data``, ``probabilities``, or in a bare list."""
    if isinstance(answer, dict):
        for key in ("outputs", "data", "probabilities"):
            yield from numbers_of(answer.get(key))
    elif isinstance(answer, list):
        for item in answer:
            yield from numbers_of(item)
    elif isinstance(answer, float | int):
        yield float(answer)


def wait_until_ready(process: subprocess.Popen[str], port: int, request: bytes, expected: Any) -> None:
    """It answers, and rightly; raises :class:`PeerError`."""
    ends = time.monotonic() + READY_S
    last: object = "no connection"
    while time.monotonic() < ends:
        if process.poll() is not None:
            raise PeerError(f"the server ended with exit code {process.returncode}")
        try:
            found = list(numbers_of(ask(port, request)))
        except (OSError, ValueError, HttpError) as error:
            last = error
            time.sleep(0.5)
            continue
        if len(found) != len(expected) or not np.allclose(found, expected, atol=2e-3):
            raise PeerError(f"its answer must be {np.round(expected, 3).tolist()}, got {found[:8]}")
        return
    raise PeerError(f"no answer within {READY_S:g} s: {last}")


def compare_crops(peer: Peer, model: Path, seconds: float, rounds: int) -> list[dict[str, Any]]:
    """Two rows, ours and the peer's; raises :class:`PeerError`."""
    peer.python()
    crops = some_crops()
    request = Request(peer.settings["path"], peer.settings["form"])
    requests = [request.encode(crop) for crop in crops]
    plain = PlainModel(str(model))
    expected = plain.probabilities(plain.rows(crops[:1]))[0]
    port = free_port()
    config = Config(server=ServerConfig(port=0), engine=EngineConfig(model=str(model)))
    with (
        open_target("", config) as target,
        peer.started(PEER_MODEL=str(model), PEER_PORT=str(port), **_of_mosec(peer, port)) as process,
    ):
        wait_until_ready(process, port, requests[0], expected)
        theirs, mine = [], []
        try:
            load(port, requests, OUTSTANDING, 1.0)
            for _ in range(rounds):
                theirs.append(_play(process.pid, port, requests, seconds))
                plan = CropsPlan(OUTSTANDING, seconds=seconds, target=target.address, raw_seconds=0)
                report = bench_crops(plan, config, lambda _: None)
                mine.append((report.per_second, report.server_cpu_s_per_1000 or 0.0, report.p99_ms or 0.0))
        except (HttpError, OSError) as error:
            raise PeerError(f"under load: {error}") from None
        memory = process_stats(*target.pids).rss_mb, process_stats(process.pid).rss_mb
    ratios = [our[0] / its[0] for our, its in zip(mine, theirs, strict=True)]
    names = ("ferserve serve", peer.name)
    return [{**_row(n, side, mb), "ratios": ratios} for n, side, mb in zip(names, (mine, theirs), memory, strict=True)]


def _of_mosec(peer: Peer, port: int) -> dict[str, str]:
    """It reads flags or variables of its own, no others."""
    return {"MOSEC_PORT": str(port), "MOSEC_ADDRESS": "127.0.0.1"} if peer.name == "mosec" else {}


def _play(pid: int, port: int, requests: list[bytes], seconds: float) -> tuple[float, float, float]:
    """Crops per second, CPU seconds per 1,000, p99 in ms."""
    before = process_stats(pid).cpu_s
    answered, latencies = load(port, requests, OUTSTANDING, seconds)
    used_s = process_stats(pid).cpu_s - before
    if not answered:
        raise PeerError(f"no answer within {seconds:g} s of load")
    return answered / seconds, 1000 * used_s / answered, float(np.percentile(latencies, 99)) * 1e3


def _row(name: str, turns: list[tuple[float, float, float]], rss_mb: float) -> dict[str, Any]:
    per_second, cpu_ms, p99_ms = (statistics.median(column) for column in zip(*turns, strict=True))
    return {"name": name, "per_second": per_second, "cpu_ms": cpu_ms, "p99_ms": p99_ms, "rss_mb": rss_mb}


def free_port() -> int:
    """With two free ones after it, most likely."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
