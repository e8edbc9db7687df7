"""What a GPU does for ferserve, in one command of at most eight minutes: numbers, places, rates, starts.

``python scripts/gpu_check.py --out FOLDER`` tries each device that loads with each bundled model: whether the answers
are the CPU's, on which device the nodes ran, rows a second of the session alone, crops a second of a server around it
with 64, 256 and 1,024 crops under way, and how long a start takes with an empty and a filled engine cache. It writes
``gpu_check.json`` and ``gpu_check.md``; a part that fails is one line there, and the rest goes on. ``--dry-run`` does
the same on the processor, briefly, so that the command is known to work before a GPU is at hand.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from ferserve.errors import FerserveError  # noqa: E402
from ferserve.models.store import BUNDLED_DIR  # noqa: E402
from ferserve.runtime import Session, open_session  # noqa: E402
from ferserve.runtime.base import trial_feeds  # noqa: E402

MODELS = ("emotion-lite", "emotion-lite-int8")
GPUS = ("cuda", "tensorrt", "tensorrt-native")
ROWS, THREADS = 256, 4


@dataclass
class Budget:
    """Seconds of the whole check, and of each measurement."""

    whole: float
    each: float
    begun: float = field(default_factory=time.monotonic)

    @property
    def left(self) -> float:
        """Seconds until the check has to end."""
        return self.whole - (time.monotonic() - self.begun)


def guarded(row: dict[str, Any], name: str, part: Callable[[], Any]) -> None:
    """Keep what ``part`` returns under ``name``, or its error in one line."""
    try:
        row[name] = part()
    except (FerserveError, OSError, RuntimeError, subprocess.SubprocessError, ValueError, KeyError) as error:
        row[name] = f"failed: {(str(error).splitlines() or [type(error).__name__])[0][:300]}"


def rows_of(session: Session, count: int) -> dict[str, Any]:
    """Smooth patterns, each its own."""
    feeds = {name: np.repeat(rows, count, axis=0) for name, rows in trial_feeds(session.inputs).items()}
    for rows in feeds.values():
        for number, row in enumerate(rows):
            row[:] = np.roll(row, 7 * number, axis=-1) * np.float32(1 - number / (2 * count))
    return feeds


def compare(path: Path, session: Session) -> dict[str, float]:
    """Largest difference to the CPU's answers, and the share of equal top labels."""
    feeds = rows_of(session, ROWS)
    pairs = list(zip(open_session(path, "cpu").run(feeds), in_parts(session, feeds), strict=True))
    same = [float(np.mean(a.argmax(axis=-1) == b.argmax(axis=-1))) for a, b in pairs]
    return {"largest": max(float(np.abs(a - b).max()) for a, b in pairs), "top1": min(same)}


def in_parts(session: Session, feeds: dict[str, Any]) -> list[Any]:
    """All rows, in runs that the session takes."""
    limit, count = session.max_rows_per_run or ROWS, len(next(iter(feeds.values())))
    parts = [
        session.run({name: rows[start : start + limit] for name, rows in feeds.items()})
        for start in range(0, count, limit)
    ]
    return [np.concatenate(of_output) for of_output in zip(*parts, strict=True)]


def rate(session: Session, rows: int, seconds: float) -> float:
    """Rows a second in runs of ``rows``, from as many threads as a server would use."""
    feeds, done, end = rows_of(session, rows), [0] * THREADS, time.monotonic() + seconds

    def loop(number: int) -> None:
        while time.monotonic() < end:
            session.run(feeds)
            done[number] += rows

    threads = [threading.Thread(target=loop, args=(number,)) for number in range(THREADS)]
    session.run(feeds)
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) / (time.monotonic() - begun)


def served(device: str, model: str, outstanding: int, seconds: float, cache: Path) -> float:
    """Crops a second of a server of its own."""
    command = [
        sys.executable, "-m", "ferserve", "bench", "crops", "--json", "--raw-seconds", "0", "--seconds", str(seconds),
        "--outstanding", str(outstanding), "--batch", "16", "--threads", str(THREADS), "--model", model,
    ]  # fmt: skip
    figures = json.loads(run(command, device, cache, 60 + seconds).stdout.splitlines()[-1])
    return float(figures["per_second"])


def start_s(device: str, model: str, cache: Path) -> float:
    """Seconds until a server says that it is ready."""
    command = [sys.executable, "-m", "ferserve", "serve", "--port", "0", "--model", model]
    begun = time.monotonic()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment(device, cache)
    ) as process:
        line = process.stdout.readline() if process.stdout else ""
        took = time.monotonic() - begun
        process.terminate()
    if not line:
        raise RuntimeError("the server did not start")
    return took


def run(command: list[str], device: str, cache: Path, timeout: float) -> subprocess.CompletedProcess[str]:
    """The command on the device; its last line of errors is the reason if it fails."""
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment(device, cache), timeout=timeout, check=False
    )
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or ["no reason"])[-1])
    return done


def environment(device: str, cache: Path) -> dict[str, str]:
    """Settings of a server on ``device``."""
    mine = {"FERSERVE_ENGINE_DEVICE": device, "FERSERVE_ENGINE_CACHE_DIR": str(cache), "PYTHONPATH": str(ROOT)}
    return {**os.environ, **mine}


def check_model(device: str, name: str, budget: Budget, cache: Path) -> dict[str, Any]:
    """All figures of one model on one device."""
    row: dict[str, Any] = {"device": device, "model": name}
    path = BUNDLED_DIR / f"{name}.onnx"
    guarded(row, "cold_start_s", lambda: start_s(device, name, cache))
    if isinstance(row["cold_start_s"], float):
        guarded(row, "warm_start_s", lambda: start_s(device, name, cache))
    opened: dict[str, Any] = {}
    guarded(opened, "session", lambda: open_session(path, device, cache))  # type: ignore[arg-type]
    session = opened["session"]
    if isinstance(session, str):
        return {**row, "runs_on": session}
    row["runs_on"] = session.runs_on
    guarded(row, "nodes", lambda: str(session.placement()))
    guarded(row, "difference", lambda: compare(path, session))
    for rows in (1, 16, 64):
        guarded(row, f"raw_rows_per_s_{rows}", lambda rows=rows: rate(session, rows, budget.each))
    for outstanding in (4, 16, 64):  # messages of 16 crops: 64, 256 and 1,024 under way
        if budget.left > budget.each + 20:
            key = f"served_crops_per_s_{16 * outstanding}"
            guarded(row, key, lambda n=outstanding: served(device, name, n, budget.each, cache))
    raw = [value for key, value in row.items() if key.startswith("raw_") and isinstance(value, float)]
    got = [value for key, value in row.items() if key.startswith("served_") and isinstance(value, float)]
    if raw and got:
        row["served_of_raw"] = max(got) / max(raw)
    return row


def machine() -> dict[str, str]:
    """What the figures were taken on."""
    found = {"python": platform.python_version(), "machine": platform.machine(), "cores": str(os.cpu_count())}
    found["card"] = told("nvidia-smi", "--query-gpu=name,driver_version,power.limit,clocks.sm", "--format=csv,noheader")
    found["power mode"] = told("nvpmodel", "-q")
    return found


def told(*command: str) -> str:
    """What a command prints, in one line."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return "not here"
    return " ".join(done.stdout.split())


def table(rows: list[dict[str, Any]]) -> list[str]:
    """The rows in Markdown, one column a figure."""
    names = list(dict.fromkeys(key for row in rows for key in row))
    lines = ["| " + " | ".join(names) + " |", "|---" * len(names) + "|"]
    return [*lines, *("| " + " | ".join(shown(row.get(name, "")) for name in names) + " |" for row in rows)]


def shown(value: Any) -> str:
    """A cell: three digits, and dictionaries in one line."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {shown(each)}" for key, each in value.items())
    return f"{value:,.3g}" if isinstance(value, float) else str(value).replace("|", "/")


def main() -> int:
    """Check, write, and say where; the exit code is 1 if no device could be checked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("gpu_check"), metavar="FOLDER")
    parser.add_argument("--minutes", type=float, default=7.5, help="stop beginning measurements after so many")
    parser.add_argument("--dry-run", action="store_true", help="on the processor, half a second each")
    options = parser.parse_args()
    budget = Budget(60 * options.minutes, 0.5 if options.dry_run else 4.0)
    rows = []
    with tempfile.TemporaryDirectory(prefix="ferserve-engines-") as cache:
        for device in ("cpu",) if options.dry_run else GPUS:
            for name in MODELS:
                if budget.left > 30:
                    rows.append(check_model(device, name, budget, Path(cache)))
                    print(json.dumps(rows[-1]), flush=True)
    options.out.mkdir(parents=True, exist_ok=True)
    written = {"machine": machine(), "budget": asdict(budget), "seconds": time.monotonic() - budget.begun, "rows": rows}
    (options.out / "gpu_check.json").write_text(json.dumps(written, indent=1) + "\n")
    head = [f"- {key}: {value}" for key, value in machine().items()]
    (options.out / "gpu_check.md").write_text("\n".join([*head, "", *table(rows)]) + "\n")
    print(options.out / "gpu_check.md")
    return 0 if any("nodes" in row for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
