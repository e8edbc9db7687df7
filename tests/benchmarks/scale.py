"""The figures of docs/scale.md: unit costs, what a proxy costs, and the queueing model beside real servers.

    python -m tests.benchmarks.scale                    # about four minutes; writes benchmarks/scale.json,
                                                        # ferserve/sizing/cost.json and the tables of docs/scale.md
    python -m tests.benchmarks.scale --tables           # the tables alone, from the file

The model is checked on one processor, the last one: one, two and three servers share it, and the cameras play on the
others. Each server has its own queue in memory and the processor serves all of them, so one queue describes them.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ferserve.bench.streams import StreamsPlan, StreamsReport, bench_streams
from ferserve.config import Config
from ferserve.sizing.cost import Cost, FrameCost, read_cost
from ferserve.sizing.fleet import Demand, p99_ms, queue_of, size_fleet
from ferserve.sizing.limits import limits_of
from ferserve.sizing.measure import measure_cost
from tests.benchmarks import proxies
from tests.benchmarks.environment import machine
from tests.serving.process import ServerProcess

ROOT = Path(__file__).parents[2]
RECORD = ROOT / "benchmarks/scale.json"
SHIPPED = ROOT / "ferserve/sizing/cost.json"
PAGE = ROOT / "docs/scale.md"
SIZES = ((640, 480), (1280, 720), (1920, 1080))
FLEETS = (100, 1_000, 10_000, 100_000)
LOADS = (0.5, 0.8, 1.5)
FPS = 30.0
_RESULT_BYTES = 554
"""Of an answer with one face of the bundled model, as protobuf."""


def measure_costs(seconds: float, rounds: int) -> tuple[Cost, dict[str, Any]]:
    """Unit costs of this machine with those of the dearer proxy, and all figures of the proxies."""
    cost = measure_cost(SIZES, seconds, lambda what: print(f"  {what}", file=sys.stderr))
    beside = proxies.measure(rounds, 200)
    dearer = max(beside[name]["cpu_ms_per_frame"] for name in proxies.PROXIES)
    return dataclasses.replace(
        cost, result_bytes=_RESULT_BYTES, proxy_cpu_ms=round(dearer, 4), proxy_frame_bytes=beside["frame_bytes"]
    ), beside


def check_model(alone: FrameCost, seconds: float) -> list[dict[str, Any]]:
    """Runs beside predictions. The cost of a frame on the one processor is that of the run with the least load."""
    cpus = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cpus[:-1])
    rows = []
    try:
        for servers in (1, 2, 3):
            cost = alone
            for load in LOADS:
                cameras = max(servers, round(load * 1000 / (FPS * cost.cpu_ms)))
                report = _run(servers, cameras, cpus[-1], seconds)
                if load == LOADS[0]:
                    cost = dataclasses.replace(alone, cpu_ms=report["cpu_ms"])
                queue = queue_of(cameras * FPS, FPS, cost, 1)
                said = {
                    "load": queue.load,
                    "predicted_p99_ms": p99_ms(queue, cost),
                    "predicted_dropped": queue.dropped(),
                }
                rows.append({"servers": servers, "cameras": cameras, **said, **report})
                print(f"  {rows[-1]}", file=sys.stderr)
    finally:
        os.sched_setaffinity(0, cpus)
    return rows


def _run(servers: int, cameras: int, cpu: int, seconds: float) -> dict[str, float]:
    """So many cameras, divided among servers on one processor."""
    command = [sys.executable, "-m", "ferserve", "serve", "--port", "0", "--workers", "1", "--threads", "1"]
    with ExitStack() as stack:
        started = [stack.enter_context(ServerProcess(["taskset", "-c", str(cpu), *command])) for _ in range(servers)]
        plans = [
            StreamsPlan(len(range(i, cameras, servers)), FPS, seconds, target=server.address, raw_seconds=0)
            for i, server in enumerate(started)
        ]
        with ThreadPoolExecutor(servers) as pool:
            reports = list(pool.map(lambda plan: bench_streams(plan, Config(), lambda what: None), plans))
    return _summed(reports, seconds)


def _summed(reports: list[StreamsReport], seconds: float) -> dict[str, float]:
    answered, sent = sum(each.answered for each in reports), sum(each.sent for each in reports)
    busy_s = seconds * sum(each.server_cpu_cores or 0.0 for each in reports)
    return {
        "dropped": sum(each.dropped for each in reports) / sent,
        "p99_ms": max(each.p99_ms or 0.0 for each in reports),
        "cpu_ms": round(1000 * busy_s / answered, 4),
        "generator_lag_p99_ms": max(each.generator_lag_p99_ms for each in reports),
    }


def tables(record: dict[str, Any], cost: Cost) -> dict[str, str]:
    """The tables of docs/scale.md by the names of their places."""
    return {"sizes": _sizes(cost), "checks": _checks(record), "costs": _costs(record, cost)}


def _sizes(cost: Cost) -> str:
    lines = [
        "| cameras | servers, each with two processors | with bounded shares | busy processors | memory | video "
        "| results | proxies | p99 | gives way next |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    known: set[str] = set()
    for cameras in FLEETS:
        fleet, bounded = (size_fleet(Demand(cameras), cost, bounded=bound) for bound in (False, True))
        limits = list(limits_of(bounded))
        named = "; ".join(limit.what for limit in limits if limit.rule not in known)
        known |= {limit.rule for limit in limits}
        lines.append(
            f"| {cameras:,} | {fleet.servers:,} | {bounded.servers:,} | {fleet.processors_busy:,.0f} "
            f"| {bounded.memory_gb:,.0f} GB | {fleet.network_gbit:,.1f} Gbit/s | {fleet.results_gbit:,.2f} Gbit/s "
            f"| {fleet.proxy_processors:,.1f} processors | {bounded.p99_ms:.0f} ms | {named} |"
        )
    return "\n".join(lines)


def _checks(record: dict[str, Any]) -> str:
    lines = [
        "| servers on one processor | cameras | load | dropped: predicted | measured | p99: predicted | measured |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['servers']} | {row['cameras']} | {row['load']:.2f} | {row['predicted_dropped']:.1%} "
        f"| {row['dropped']:.1%} | {row['predicted_p99_ms']:.0f} ms | {row['p99_ms']:.0f} ms |"
        for row in record["checks"]
    ]
    return "\n".join(lines)


def _costs(record: dict[str, Any], cost: Cost) -> str:
    lines = ["| frame | processor time | one camera alone, p50 and p99 | bytes |", "|---|---|---|---|"]
    lines += [
        f"| {each.width}x{each.height} | {each.cpu_ms:.2f} ms | {each.alone_p50_ms:.1f}, {each.alone_p99_ms:.1f} ms "
        f"| {each.frame_bytes / 1000:.0f} KB |"
        for each in cost.frames
    ]
    lines += ["", "| proxy | throughput of direct (95 %) | later than direct (95 %) | its processor time per frame |"]
    lines += ["|---|---|---|---|"]
    for name in proxies.PROXIES:
        found = record["proxies"][name]
        (ratio, low, high), (later, least, most) = found["throughput_ratio"], found["later_ms"]
        lines.append(
            f"| {name} | {ratio:.2f} ({low:.2f} to {high:.2f}) | {later:+.2f} ms ({least:+.2f} to {most:+.2f}) "
            f"| {found['cpu_ms_per_frame']:.2f} ms |"
        )
    return "\n".join([*lines, "", f"{cost.machine}, {cost.date}{'; ' if record['note'] else ''}{record['note']}."])


def with_tables(page: str, made: dict[str, str]) -> str:
    """The page with its tables anew."""
    for name, table in made.items():
        start, end = f"<!-- {name} -->\n", f"\n<!-- end of {name} -->"
        before, _, rest = page.partition(start)
        page = before + start + table + end + rest.partition(end)[2]
    return page


def main() -> None:
    """Measure, and write the files."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.scale")
    parser.add_argument("--seconds", type=float, default=6.0, help="of each run")
    parser.add_argument("--rounds", type=int, default=8, help="of the proxies")
    parser.add_argument("--note", default="", help="what else the machine did")
    parser.add_argument("--tables", action="store_true", help="write the page from the files, without measuring")
    options = parser.parse_args()
    if not options.tables:
        cost, beside = measure_costs(options.seconds, options.rounds)
        SHIPPED.write_text(cost.to_json(), "utf-8")
        record = {"machine": machine(), "date": time.strftime("%Y-%m-%d", time.gmtime()), "note": options.note}
        record |= {"proxies": beside, "checks": check_model(cost.frames[0], options.seconds)}
        RECORD.write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    made = tables(json.loads(RECORD.read_text("utf-8")), read_cost(SHIPPED))
    PAGE.write_text(with_tables(PAGE.read_text("utf-8"), made), "utf-8")
    print("\n\n".join(made.values()))


if __name__ == "__main__":
    main()
