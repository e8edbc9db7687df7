"""Measures revisions and adds a line for each to ``benchmarks/history``.

    python -m tests.benchmarks.history [REV ...] [--rounds 3] [--only TEXT] [--folder FOLDER]

Without REV: the commit that is checked out. Each revision is built in a folder of its own and measured by today's
subjects; what its package is too old for is written down with the reason.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.callgrind import count_tree, why_not
from tests.benchmarks.history.lines import FOLDER, KIND, append
from tests.benchmarks.record import record
from tests.benchmarks.sides import make_environment
from tests.benchmarks.trees import (
    ROOT,
    Tree,
    TreeError,
    copy_files,
    describe,
    entrance,
    export_revision,
    git,
    resolve,
    scratch_folder,
)

Rows = dict[str, dict[str, Any]]


def play_round(python: Path, tree: Tree, cwd: Path, only: str) -> list[dict[str, Any]]:
    """Versions, then a line per subject, from a new process; raises :class:`TreeError` if it fails."""
    command = [str(python), "-m", "tests.benchmarks.history.worker", only]
    environment = {"PYTHONPATH": str(tree.folder), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise TreeError(f"cannot measure {tree.name}: the process gave {done.returncode}; {done.stderr[-1500:]}")
    return [json.loads(text) for text in done.stdout.splitlines()]


def summarise(lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One row of all rounds of a subject: calls per second, and the ratio with its quartiles over all turns."""
    ours = [s for line in lines for s in line["ours_s"]]
    its = [s for line in lines for s in line["yardstick_s"]]
    row: dict[str, Any] = {"fps": _short(lines[0]["units"] / statistics.median(ours))}
    if its:
        low, ratio, high = statistics.quantiles([b / a for a, b in zip(ours, its, strict=True)], n=4)
        row |= {
            "yardstick": lines[0]["yardstick"],
            "ratio": _short(ratio),
            "ratio_quartiles": [_short(low), _short(high)],
        }
    return row


def _short(value: float) -> float:
    return float(f"{value:.4g}")


@dataclass
class Measured:
    """``rows`` by title, why the other subjects have none, and the versions of the packages that were used."""

    rows: Rows
    failed: dict[str, str]
    versions: dict[str, str]


def measure(python: Path, tree: Tree, cwd: Path, only: str, rounds: int) -> Measured:
    """Each round in a new process; raises :class:`TreeError` if one fails or no subject runs."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    failed: dict[str, str] = {}
    versions: dict[str, str] = {}
    for number in range(rounds):
        versions, *lines = play_round(python, tree, cwd, only)
        for line in lines:
            if "failed" in line:
                failed[line["title"]] = line["failed"]
            else:
                found[line["title"]].append(line)
        print(f"  round {number + 1} of {rounds}: {len(found)} subjects", file=sys.stderr, flush=True)
    if not found:
        raise TreeError(f"cannot measure {tree.name}: no subject with {only!r} runs; {failed}")
    return Measured({title: summarise(lines) for title, lines in found.items()}, failed, versions)


def count(python: Path, tree: Tree, cwd: Path, scratch: Path, only: str) -> dict[str, int]:
    """Instructions per call by title; of a kernel, on the instruction set that needs the fewest."""
    if reason := why_not():
        print(f"  no instructions are counted: {reason}", file=sys.stderr)
        return {}
    counted = count_tree(tree, cwd, scratch / "counts", 0, only, python).instructions
    fewest: dict[str, int] = {}
    for title, number in counted.items():
        name = title.rpartition(", ")[0] if title.startswith("kernels: ") else title
        fewest[name] = min(number, fewest.get(name, number))
    return fewest


def measure_revision(revision: str, options: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """The line of one revision; raises :class:`TreeError` or :class:`OSError`."""
    commit = resolve(ROOT, revision, "REV")
    tree = export_revision(ROOT, revision, scratch / "tree")
    python = make_environment(tree, scratch / "venv")
    subjects = Tree(scratch / "subjects", describe(ROOT))
    copy_files(ROOT, subjects.folder)
    cwd = entrance(subjects)
    measured = measure(python, tree, cwd, options.only, options.rounds)
    for title, number in count(python, tree, cwd, scratch, options.only).items():
        measured.rows.setdefault(title, {})["instructions"] = number
    committed, subject = git(ROOT, "log", "-1", "--format=%cI %s", commit).split(" ", 1)
    more = {"committed": committed, "commit_subject": subject, "subjects_of": subjects.name, "failed": measured.failed}
    return record(KIND, commit[:10], measured.versions, measured.rows, **more)


def _can_be_written(folder: Path) -> bool:
    """Asked before minutes are spent on measuring."""
    nearest = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    return nearest.is_dir() and os.access(nearest, os.W_OK)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.history", description=__doc__.split("\n")[0])
    parser.add_argument("revisions", nargs="*", default=["HEAD"], metavar="REV", help="what to measure (HEAD)")
    parser.add_argument("--rounds", type=int, default=3, help="new processes per revision (3)")
    parser.add_argument("--only", default="", metavar="TEXT", help="only subjects whose title has this text")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where lines are kept")
    options = parser.parse_args()
    if not _can_be_written(options.folder):
        print(f"cannot record: {options.folder} cannot be written; name another with --folder", file=sys.stderr)
        return 2
    failed = 0
    try:
        for revision in options.revisions:
            print(f"{revision}:", file=sys.stderr, flush=True)
            try:
                with scratch_folder() as scratch:
                    line = measure_revision(revision, options, scratch)
                print(f"  {len(line['subjects'])} subjects kept in {append(options.folder, line)}")
            except (TreeError, OSError) as error:
                failed += 1
                print(f"  nothing was kept: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("\ninterrupted; the revision under way was not kept", file=sys.stderr)
        return 130
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
