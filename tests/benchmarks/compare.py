"""The paired comparison: is the tree as it is now slower than another revision?

    python -m tests.benchmarks.compare BASE [--minutes 3] [--only tracking] [--json FILE] [--tree FOLDER]

Both trees are exported, built and run side by side: a process each, on the same processors, in turns of some ten
milliseconds in random order. A round is a new pair of processes, so that no accident of one process's memory counts
twice; it gives one log ratio per subject, the median of its turns. Over the rounds an exact signed-rank test decides
(:mod:`tests.benchmarks.signed_rank`). "Slower" means: slower by more than 2 %, with an error of at most 1 % over all
subjects together (Bonferroni), thus 1 % divided by their number for each.

Exit code: 0 if no subject is slower, 1 if one is, 125 if the trees cannot be compared (``git bisect run`` skips those).
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import random
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.benchmarks.environment import versions
from tests.benchmarks.record import record, write_record
from tests.benchmarks.sides import Side, SideError, make_environment, opened
from tests.benchmarks.signed_rank import Interval, interval, least_rounds, smallest_seen
from tests.benchmarks.trees import ROOT, Tree, TreeError, entrance, export_files, export_revision, scratch_folder

FAMILY_ERROR = 0.01
MARGIN = math.log(1.02)
LEAST_TURNS, MOST_TURNS, TURNS_PER_ROUND = 3, 25, 120
"""Pairs of blocks per subject and round: few subjects get more, for starting the processes takes longer anyway."""
CANNOT_JUDGE = 125


@dataclass(frozen=True)
class Finding:
    """What the rounds say of one subject; logs of ratios, time of ours over time of base."""

    title: str
    interval: Interval
    seen: float
    rounds: int
    verdict: str


@dataclass
class Comparison:
    """Two built trees and what was measured so far."""

    scratch: Path
    base: Tree
    ours: Tree
    choice: tuple[str, ...]
    """Arguments of :mod:`tests.benchmarks.paired_worker`."""

    def __post_init__(self) -> None:
        self.log_ratios: dict[str, list[float]] = defaultdict(list)
        self.failed: dict[str, str] = {}
        self._cwd = entrance(self.ours)
        self._pythons = [make_environment(tree, tree.folder.with_suffix(".venv")) for tree in (self.base, self.ours)]
        self._plans: dict[str, list[int]] = {}
        self._random = random.Random()

    def play_round(self) -> None:
        """Start both processes anew and give every subject its turns; raises :class:`SideError`."""
        with contextlib.ExitStack() as stack:
            sides = [
                stack.enter_context(
                    opened(python, tree, self._cwd, self.choice, self.scratch / f"{tree.folder.name}.log")
                )
                for python, tree in zip(self._pythons, (self.base, self.ours), strict=True)
            ]
            for side in sides:
                side.wait_until_ready()
                self.failed |= side.failed or {}
            titles = sorted(set(sides[0].titles) & set(sides[1].titles))
            turns = min(max(TURNS_PER_ROUND // max(len(titles), 1), LEAST_TURNS), MOST_TURNS)
            for title in titles:
                self.log_ratios[title].append(self._measure(title, sides, turns))

    def _measure(self, title: str, sides: Sequence[Side], turns: int) -> float:
        """The median log ratio of some turns."""
        if title not in self._plans:
            self._plans[title] = sides[1].ask("plan", title)
        ratios = []
        for _ in range(turns):
            seconds = {}
            for side in self._random.sample(sides, 2):
                seconds[id(side)] = side.ask("block", title, *self._plans[title])
            base_s, our_s = (seconds[id(side)] for side in sides)
            ratios.append(math.log(our_s / base_s))
        return statistics.median(ratios)

    def findings(self) -> list[Finding]:
        """The verdict on every subject."""
        error = FAMILY_ERROR / max(len(self.log_ratios), 1)
        found = []
        for title, ratios in sorted(self.log_ratios.items()):
            values = np.array(ratios)
            bounds = interval(values, error)
            seen = smallest_seen(values, error, MARGIN)
            found.append(Finding(title, bounds, seen, len(values), _verdict(bounds)))
        return found


def _verdict(bounds: Interval) -> str:
    if math.isinf(bounds.low):
        return "too few rounds"
    if bounds.low > MARGIN:
        return "SLOWER"
    return "faster" if bounds.high < -MARGIN else "same"


def play(comparison: Comparison, seconds: float) -> None:
    """Rounds until the time is over; the first tells how many subjects there are, and how many rounds they need."""
    ends = time.monotonic() + seconds
    needed, rounds = 1, 0
    while rounds < needed or time.monotonic() < ends:
        began = time.monotonic()
        comparison.play_round()
        rounds += 1
        if not comparison.log_ratios:
            raise SideError(f"no subject has {comparison.choice[0]!r} in its title and runs on both sides")
        needed = least_rounds(FAMILY_ERROR / len(comparison.log_ratios))
        last = f"{time.monotonic() - began:.0f} s"
        print(f"\rround {rounds} of at least {needed}, the last one took {last} ", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)


def report(comparison: Comparison, found: Sequence[Finding]) -> None:
    """The table, and what it is worth."""
    print(f"{comparison.ours.name} against {comparison.base.name}: time per call, ours over base")
    print(f"{'subject':50} {'ratio':>7} {'interval':>15} {'finds from':>10}  verdict")
    for f in found:
        low, high = (math.exp(bound) for bound in (f.interval.low, f.interval.high))
        seen = f"{math.expm1(f.seen):+.0%}"
        print(f"{f.title:50} {math.exp(f.interval.middle):7.3f} {low:7.3f} {high:7.3f} {seen:>10}  {f.verdict}")
    for title, reason in sorted(comparison.failed.items()):
        print(f"not compared, {title}: {reason}")
    error, margin = FAMILY_ERROR / len(found), math.expm1(MARGIN)
    print(f"exact signed-rank test over {found[0].rounds} rounds; slower means by more than {margin:.0%};")
    print(f"false alarms: {error:.2g} per subject, {FAMILY_ERROR:.0%} over all {len(found)} subjects;")
    print("'finds from': a slowdown of this size is found 9 times in 10")


def save(path: Path, comparison: Comparison, found: Sequence[Finding]) -> None:
    """All figures, in the form of every file of figures."""
    rows = {
        f.title: {
            "ratio": math.exp(f.interval.middle),
            "low": math.exp(f.interval.low),
            "high": math.exp(f.interval.high),
            "finds_from": math.exp(f.seen),
            "verdict": f.verdict,
            "log_ratios": comparison.log_ratios[f.title],
        }
        for f in found
    }
    more = {"base": comparison.base.name, "margin": math.exp(MARGIN), "family_error": FAMILY_ERROR}
    write_record(path, record("comparison", comparison.ours.name, versions(), rows, **more))


def compare(options: argparse.Namespace, scratch: Path) -> int:
    """The exit code."""
    if options.json and not os.access(options.json.absolute().parent, os.W_OK):
        raise TreeError(f"--json must be in a folder that can be written, got {options.json}; name another")
    base = export_revision(options.tree, options.base, scratch / "base")
    ours = export_files(options.tree, scratch / "ours")
    comparison = Comparison(scratch, base, ours, (options.only, *["heavy"] * options.all))
    play(comparison, options.minutes * 60)
    found = comparison.findings()
    report(comparison, found)
    if options.json:
        save(options.json, comparison, found)
    return int(any(f.verdict == "SLOWER" for f in found))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.compare", description=__doc__.split("\n")[0])
    parser.add_argument("base", metavar="BASE", help="revision to compare with")
    parser.add_argument("--minutes", type=float, default=3.0, help="time for rounds; more finds less (3)")
    parser.add_argument("--only", default="", metavar="TEXT", help="only subjects whose title has this text")
    parser.add_argument("--all", action="store_true", help="heavy subjects too, such as the start of a server")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument("--tree", type=Path, default=ROOT, metavar="FOLDER", help="working tree to judge (this one)")
    try:
        with scratch_folder() as scratch:
            return compare(parser.parse_args(), scratch)
    except (TreeError, SideError, OSError) as error:
        print(f"cannot compare: {error}", file=sys.stderr)
        return CANNOT_JUDGE
    except KeyboardInterrupt:
        print("\ninterrupted; nothing was written", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
