"""Instructions per call of every counted subject of a tree, by valgrind: no load on the machine changes them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.trees import Tree, TreeError

MARKS = Path(__file__).with_name("callgrind_marks.c")
_TOTALS = re.compile(r"^desc: Trigger: Client Request: (.+)/(\w+)/(\d+)$.*?^totals: (\d+)", re.M | re.S)


@dataclass(frozen=True)
class Counts:
    """Instructions per call by title, the language of each subject, and why the others could not be counted."""

    instructions: dict[str, int]
    languages: dict[str, str]
    failed: dict[str, str]


def why_not() -> str:
    """Why nothing can be counted on this machine; empty if it can."""
    for tool in ("valgrind", "gcc"):
        if not shutil.which(tool):
            return f"{tool} is not installed (Debian: apt-get install {tool})"
    check = subprocess.run(["gcc", "-E", "-o", os.devnull, str(MARKS)], capture_output=True, text=True, check=False)
    return f"valgrind/callgrind.h is not installed: {check.stderr.strip()}" if check.returncode else ""


def count_tree(
    tree: Tree, cwd: Path, scratch: Path, seed: int, only: str, python: str | Path = sys.executable
) -> Counts:
    """Count the subjects with ``only`` in their title, in one process with one thread.

    ``cwd`` is where the benchmarks lie, ``scratch`` must not exist. Another ``seed`` of hashes lays out the
    interpreter's tables anew. Raises :class:`TreeError` if the process fails.
    """
    scratch.mkdir()
    marks = scratch / "marks.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-o", str(marks), str(MARKS)], check=True)
    profiles = scratch / "profile"
    command = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={profiles}"]
    command += [str(python), "-m", "tests.benchmarks.instructions_workload", str(marks), only]
    done = subprocess.run(command, cwd=cwd, env=_environment(tree, seed), capture_output=True, text=True, check=False)
    if done.returncode:
        raise TreeError(f"cannot count {tree.name}: valgrind gave exit code {done.returncode}; {done.stderr[-2000:]}")
    texts = [path.read_text("utf-8", "replace") for path in scratch.glob("profile.*")]
    found = [match for match in map(_TOTALS.search, texts) if match]
    counts = {match[1]: round(int(match[4]) / int(match[3])) for match in found}
    return Counts(counts, {match[1]: match[2] for match in found}, json.loads(done.stdout.splitlines()[-1])["failed"])


def least(counts: Sequence[Counts]) -> Counts:
    """The least count of every subject: chance collisions in the interpreter's tables only ever add instructions."""
    titles = counts[0].instructions.keys()
    fewest = {t: min(c.instructions[t] for c in counts if t in c.instructions) for t in titles}
    return Counts(fewest, counts[0].languages, counts[0].failed)


def _environment(tree: Tree, seed: int) -> dict[str, str]:
    """The same for every run: hash seed, one thread, and not a variable more, because they lie on the stack."""
    fixed = {"PYTHONHASHSEED": str(seed), "PYTHONPATH": str(tree.folder), "HOME": "/", "LC_ALL": "C.UTF-8"}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"), "1")
    return {**fixed, **threads, "PATH": os.environ.get("PATH", os.defpath)}
