"""JPEGs of a camera through faces to emotions: each peer and ferserve in turns of a few seconds."""

from __future__ import annotations

import json
import select
import statistics
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.peers.scripts import Peer, PeerError
from ferserve.bench.process_stats import process_stats
from tests import builders

FRAMES = 90
READY_S = 180.0


def write_clip(folder: Path) -> None:
    """A face that moves before a camera of 640x480."""
    for i, jpeg in enumerate(builders.jpeg_clip(FRAMES)):
        (folder / f"{i:04d}.jpg").write_bytes(jpeg)


def reply(process: subprocess.Popen[str], limit_s: float) -> str:
    """Its next line; raises :class:`PeerError`."""
    assert process.stdout is not None
    if not select.select([process.stdout], [], [], limit_s)[0]:
        raise PeerError(f"no answer within {limit_s:g} s")
    line = process.stdout.readline()
    if not line:
        raise PeerError(f"the process ended with exit code {process.wait()}")
    return line


def play(process: subprocess.Popen[str], seconds: float) -> dict[str, Any]:
    """One turn."""
    assert process.stdin is not None
    process.stdin.write(f"{seconds}\n")
    process.stdin.flush()
    figures: dict[str, Any] = json.loads(reply(process, seconds + READY_S))
    return figures


def compare_frames(peer: Peer, ours: Peer, model: Path, seconds: float, rounds: int) -> list[dict[str, Any]]:
    """Two rows, ours and the peer's; raises :class:`PeerError`."""
    peer.python()
    with tempfile.TemporaryDirectory() as folder:
        write_clip(Path(folder))
        with ours.started(folder) as mine, peer.started(folder, PEER_MODEL=str(model)) as theirs:
            sides = (theirs, mine)
            for process in sides:
                reply(process, READY_S)
            turns = [[play(process, seconds) for process in sides] for _ in range(rounds)]
            memory = [process_stats(process.pid).rss_mb for process in sides]
    ratios = [_rate(our) / _rate(its) for its, our in turns]
    columns = zip(("ferserve", peer.name), reversed(list(zip(*turns, strict=True))), reversed(memory), strict=True)
    return [{**_row(name, side, mb), "ratios": ratios} for name, side, mb in columns]


def _rate(turn: dict[str, Any]) -> float:
    return float(turn["frames"] / turn["seconds"])


def _row(name: str, turns: tuple[dict[str, Any], ...], rss_mb: float) -> dict[str, Any]:
    frames, cpu_s = (sum(turn[key] for turn in turns) for key in ("frames", "cpu_s"))
    return {
        "name": name,
        "per_second": statistics.median(map(_rate, turns)),
        "cpu_ms": 1e3 * cpu_s / frames,
        "cores": cpu_s / sum(turn["seconds"] for turn in turns),
        "faces": sum(turn["faces"] for turn in turns) / frames,
        "rss_mb": rss_mb,
    }
