"""Time and memory of one epoch of every recipe, each in a process of its own, on a small set in its real format.

    python -m tests.training.recipes.measure [RECIPE ...]

Pictures have the recipe's own size, 84 of them or so, and weights are random, which trains the whole network: the most
that a recipe can need. Prints a Markdown table with the date, the machine and its load; ends with 1 if a recipe fails.
"""

from __future__ import annotations

import datetime
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.training import sets
from training.common.markdown import grid
from training.cost.report import processor_name
from training.recipe import recipe_summaries

DATA: dict[str, Callable[[Path], Path]] = {
    "fer2013": lambda path: sets.fer2013_csv(path, per_class=12),
    "jaffe": lambda path: sets.jaffe(path, subjects=("KA", "KL", "KM", "KR"), poses=3),
    "faces": lambda path: sets.faces(path, persons=14),
    "three": lambda path: sets.class_folders(path, per_class=28),
    "light": lambda path: sets.fer2013_csv(path, per_class=12),
}
"""Makes the data of the recipes whose name begins so."""


def main(names: list[str]) -> int:
    """Measure the recipes; returns the exit code."""
    rows, failed, before = [], False, os.getloadavg()[0]
    for name in names or [name for name in recipe_summaries() if name.split("_")[0] in DATA]:
        seconds, processor_s, peak_gb, error = measured(name)
        failed = failed or bool(error)
        rows.append([f"`{name}`", f"{seconds:.0f}", f"{processor_s:.0f}", f"{peak_gb:.1f}", error])
        print("  ".join(rows[-1]), file=sys.stderr, flush=True)
    print(f"{datetime.date.today()}, {processor_name()}, {os.cpu_count()} cores, load {before:.1f} before:\n")
    print(grid(("recipe", "s", "processor s", "peak GB", "failed with"), rows))
    return int(failed)


def measured(name: str) -> tuple[float, float, float, str]:
    """Seconds, seconds of processors, peak of resident memory in GB, and the last line of an error."""
    with tempfile.TemporaryDirectory() as folder:
        data = DATA[name.split("_")[0]](Path(folder) / "data")
        argv = ["run", name, "--data", str(data), "--out", f"{folder}/out", "--epochs", "1", "--weights", "none"]
        code = "import sys; from tests.training.recipes.measure import run; run(sys.argv[1:])"
        began = time.monotonic()
        done = subprocess.run([sys.executable, "-c", code, *argv], capture_output=True, text=True, check=False)
        seconds = time.monotonic() - began
    lines = done.stdout.strip().splitlines() or ["0 0"]
    if done.returncode:
        return seconds, 0.0, 0.0, (done.stderr.strip().splitlines() or ["no message"])[-1][:80]
    processor_s, peak_gb = map(float, lines[-1].split())
    return seconds, processor_s, peak_gb, ""


def run(argv: list[str]) -> None:
    """Run the command line in this process; the last line says its processor seconds and its peak in GB."""
    from training.__main__ import main as training

    code = training(argv)
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e9)
    sys.exit(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
