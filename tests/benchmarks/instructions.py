"""The instruction gate: does every frame still execute as many instructions as the repository says?

    python -m tests.benchmarks.instructions              # exit code 1 if a subject grew by more than its tolerance
    python -m tests.benchmarks.instructions --refresh    # keep today's counts in benchmarks/instructions.json

Counts hold for one set of versions (interpreter, compiler, packages). With any other, and before anything is called
slower, the revision that last wrote the file is counted here and now beside the files as they are: both run the same
interpreter and packages, so that only our own code can differ.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ferserve.processors import usable_processors
from tests.benchmarks.callgrind import Counts, count_tree, least, why_not
from tests.benchmarks.environment import counting_versions, differences
from tests.benchmarks.record import read_record, record, write_record
from tests.benchmarks.trees import (
    ROOT,
    Tree,
    TreeError,
    describe,
    entrance,
    export_files,
    export_revision,
    git,
    scratch_folder,
)

KEPT = ROOT / "benchmarks" / "instructions.json"
TOLERANCE = {"C": 0.01, "Python": 0.03}
REFRESH = "make bench-instructions-refresh"


@dataclass(frozen=True)
class Judgement:
    """``rows`` for people; titles of what grew, of what shrank, and of what has a count on one side only."""

    rows: list[str]
    grown: list[str]
    fewer: list[str]
    unknown: list[str]


def judge(now: Counts, before: Mapping[str, int]) -> Judgement:
    """Compare counts by title."""
    titles = sorted(now.instructions.keys() & before.keys())
    changes = {title: now.instructions[title] / before[title] - 1 for title in titles}
    limits = {title: TOLERANCE[now.languages[title]] for title in titles}
    grown = [title for title in titles if changes[title] > limits[title]]
    fewer = [title for title in titles if changes[title] < -limits[title]]
    verdicts = dict.fromkeys(titles, "same") | dict.fromkeys(grown, "MORE") | dict.fromkeys(fewer, "fewer")
    rows = [
        f"{title:58} {before[title]:>12,} {now.instructions[title]:>12,} {changes[title]:>+8.2%}  {limits[title]:.0%}  "
        f"{verdicts[title]}"
        for title in titles
    ]
    return Judgement(rows, grown, fewer, sorted(now.instructions.keys() ^ before.keys()))


def base_revision(root: Path) -> str:
    """The commit that last wrote the counts; raises :class:`TreeError` if the history does not say."""
    commit = git(root, "log", "-1", "--format=%H", "--", str(KEPT.relative_to(ROOT)))
    if not commit:
        raise TreeError(f"no commit has {KEPT.name} yet")
    if git(root, "rev-parse", "--is-shallow-repository") == "true" and not git(
        root, "log", "-1", "--format=%P", commit
    ):
        raise TreeError("the clone is shallow and does not reach the commit that wrote the counts; fetch more history")
    return commit


@dataclass(frozen=True)
class Gate:
    """Counts and judges; ``scratch`` is an empty folder, ``only`` a part of the titles of the subjects wanted."""

    scratch: Path
    only: str

    def judge_files(self, kept: Mapping[str, Any]) -> int:
        """Print what was found; the exit code."""
        other = differences(counting_versions(), kept["versions"])
        ours = export_files(ROOT, self.scratch / "ours")
        if not other:
            before = {title: row["instructions"] for title, row in kept["subjects"].items() if self.only in title}
            (now,) = self.count([ours], [0])
            verdict = judge(now, before)
            if not verdict.grown:
                return report(now, verdict, f"the counts that {KEPT.name} keeps")
            print("\n".join(verdict.rows))
            print(f"{len(verdict.grown)} grew; before that is said, the revision that wrote {KEPT.name} is counted")
        else:
            print(f"versions differ from those of {KEPT.name}: {'; '.join(other)}")
            print("so the revision that wrote it is counted here and now, with the same versions")
        try:
            base = export_revision(ROOT, base_revision(ROOT), self.scratch / "base")
        except TreeError as error:
            if other:
                return cannot_judge(str(error))
            print(f"cannot count that revision: {error}", file=sys.stderr)
            return 1
        return self.judge_against(base, ours, suspect=not other)

    def judge_against(self, base: Tree, ours: Tree, *, suspect: bool) -> int:
        """Count both with the same versions; in three layouts of memory each, if a subject grew or is ``suspect``."""
        against = f"revision {base.name}, counted here"
        if not suspect:
            then, now = self.count([base, ours], [0])
            verdict = judge(now, then.instructions)
            if not verdict.grown:
                return report(now, verdict, against)
            print(f"{len(verdict.grown)} grew; before that is said, both are counted in other layouts of memory")
        then, now = self.count([base, ours], [1, 2, 3])
        return report(now, judge(now, then.instructions), against)

    def count(self, trees: Sequence[Tree], seeds: Sequence[int]) -> list[Counts]:
        """The least counts of each tree over the seeds, on all processors; each tree runs its own benchmarks."""
        places = {tree.folder: entrance(tree) for tree in trees}

        def run(tree: Tree, seed: int) -> Counts:
            return count_tree(tree, places[tree.folder], self.scratch / f"{tree.folder.name}-{seed}", seed, self.only)

        pool = ThreadPoolExecutor(usable_processors())
        try:
            runs = [[pool.submit(run, tree, seed) for seed in seeds] for tree in trees]
            return [least([future.result() for future in of_tree]) for of_tree in runs]
        finally:
            pool.shutdown(cancel_futures=True)


def report(now: Counts, verdict: Judgement, against: str) -> int:
    """Print the table and the conclusion; the exit code."""
    print(f"{'instructions per call':58} {'before':>12} {'now':>12} {'change':>8}")
    print("\n".join(verdict.rows))
    for title in verdict.unknown:
        print(f"not judged: {title} has a count on one side only; {REFRESH} keeps one")
    for title, reason in now.failed.items():
        print(f"cannot count {title}: {reason}", file=sys.stderr)
    if verdict.grown or now.failed:
        for title in verdict.grown:
            print(
                f"instructions of {title!r} must not grow by more than the tolerance, got the row above",
                file=sys.stderr,
            )
        print(f"if the growth is intended: {REFRESH}, and commit {KEPT.name} with the change", file=sys.stderr)
        return 1
    if verdict.fewer:
        print(f"{len(verdict.fewer)} execute fewer; {REFRESH} lets nobody lose that again")
    print(f"{len(verdict.rows)} subjects execute no more instructions than {against}")
    return 0


def cannot_judge(reason: str) -> int:
    """Say so where nobody can overlook it. No failure: the code may be as fast as ever."""
    print(f"\n*** THE INSTRUCTION GATE WAS SKIPPED: {reason} ***\n", file=sys.stderr, flush=True)
    return 0


def refresh(gate: Gate) -> int:
    """Count and keep."""
    ours = export_files(ROOT, gate.scratch / "ours")
    (counts,) = gate.count([ours], [0])
    if counts.failed:
        print(f"every subject must run before counts are kept, got {counts.failed}", file=sys.stderr)
        return 1
    rows = {t: {"instructions": n, "tolerance": TOLERANCE[counts.languages[t]]} for t, n in counts.instructions.items()}
    KEPT.parent.mkdir(exist_ok=True)
    write_record(KEPT, record("instructions", describe(ROOT), counting_versions(), rows))
    print(f"{len(rows)} counts kept in {KEPT.relative_to(ROOT)}; commit it with the change")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.instructions", description=__doc__)
    parser.add_argument("--refresh", action="store_true", help=f"keep today's counts in {KEPT.relative_to(ROOT)}")
    parser.add_argument("--only", default="", metavar="TEXT", help="judge only subjects whose title has this text")
    options = parser.parse_args()
    if options.refresh and options.only:
        parser.error("--refresh keeps all counts; drop --only")
    if reason := why_not():
        return cannot_judge(reason)
    try:
        with scratch_folder() as scratch:
            if options.refresh:
                return refresh(Gate(scratch, options.only))
            if not KEPT.is_file():
                return cannot_judge(f"{KEPT} does not exist; {REFRESH} makes it")
            return Gate(scratch, options.only).judge_files(read_record(KEPT, "instructions"))
    except (TreeError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; nothing was written", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
