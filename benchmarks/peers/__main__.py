"""ferserve beside its peers, each in a virtual environment of its own.

    python -m benchmarks.peers [NAME ...] [--seconds 3] [--rounds 5] [--json FILE]

A peer that cannot be installed or run says why, and the rest goes on.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path
from typing import Any

from benchmarks.peers.crops import OUTSTANDING, compare_crops
from benchmarks.peers.frames import compare_frames
from benchmarks.peers.scripts import Peer, PeerError, find_peers
from ferserve.models.store import BUNDLED_DIR
from tests.benchmarks.environment import machine, versions
from tests.benchmarks.record import record, write_record
from tests.benchmarks.trees import ROOT, describe

MODEL = BUNDLED_DIR / "emotion-lite-int8.onnx"
TASKS = {
    "frames": "| 640x480, frame after frame | frames/s | CPU ms | cores | faces per frame | MB | ferserve does |",
    "crops": f"| crops of 48x48, {OUTSTANDING} under way | crops/s | CPU ms | p99 ms | MB | ferserve does |",
}


def run(peer: Peer, ours: Peer, options: argparse.Namespace) -> list[dict[str, Any]] | str:
    """The rows of one peer, or why there are none."""
    print(f"{peer.name} ...", file=sys.stderr, flush=True)
    try:
        if peer.task == "frames":
            return compare_frames(peer, ours, MODEL, options.seconds, options.rounds)
        return compare_crops(peer, MODEL, options.seconds, options.rounds)
    except (PeerError, OSError) as error:
        return str(error)


def rows_of(task: str, found: list[dict[str, Any]]) -> list[str]:
    """Ours and the peer's, as Markdown."""
    low, ratio, high = _quartiles(found[0]["ratios"])
    lines = []
    for row in found:
        per_cpu = row["cpu_ms"] / found[0]["cpu_ms"]
        last = f"{ratio:.1f} times as many ({low:.1f} to {high:.1f}), {per_cpu:.1f} times per CPU second"
        middle = f"{row['cores']:.2f} | {row['faces']:.2f}" if task == "frames" else f"{row['p99_ms']:.0f}"
        first = f"{row['name']} | {row['per_second']:,.0f} | {row['cpu_ms']:.2f}"
        lines.append(f"| {first} | {middle} | {row['rss_mb']:.0f} | {last if row is not found[0] else ''} |")
    return lines


def _quartiles(ratios: list[float]) -> list[float]:
    return statistics.quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3


def report(results: dict[str, list[dict[str, Any]] | str], peers: dict[str, Peer]) -> None:
    """One table per task, then what could not be measured."""
    for task, head in TASKS.items():
        lines = [
            line
            for name, found in results.items()
            if peers[name].task == task and not isinstance(found, str)
            for line in rows_of(task, found)
        ]
        if lines:
            print(f"\n{head}\n|{'---|' * (head.count('|') - 1)}\n" + "\n".join(lines))
    for name, found in results.items():
        if isinstance(found, str):
            print(f"\nno figure of {name}: {found}")


def main() -> int:
    peers = find_peers()
    ours = next(peer for peer in peers.values() if peer.task == "ours")
    names = [name for name, peer in peers.items() if peer is not ours]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which of {', '.join(names)} (all)")
    parser.add_argument("--seconds", type=float, default=3.0, help="of a turn (3)")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each (5)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    options = parser.parse_args()
    if unknown := set(options.names) - set(names):
        parser.error(f"NAME must be among {', '.join(names)}, got {', '.join(sorted(unknown))}")
    results: dict[str, list[dict[str, Any]] | str] = {}
    try:
        for name in options.names or names:
            results[name] = run(peers[name], ours, options)
    except KeyboardInterrupt:
        print("\ninterrupted; what was measured so far:", file=sys.stderr)
        report(results, peers)
        return 130
    report(results, peers)
    if options.json:
        measured = {name: found for name, found in results.items() if not isinstance(found, str)}
        write_record(options.json, record("peers", describe(ROOT), versions(), measured))
    print(f"\n{machine()['cpu']}, {machine()['cores']} cores", file=sys.stderr)
    return int(any(isinstance(found, str) for found in results.values()))


if __name__ == "__main__":
    sys.exit(main())
