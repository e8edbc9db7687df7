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
    """``rows`` for people; titles of what grew, and of what the other side has no count of."""

    rows: list[str]
    grown: list[str]
    unknown: list[str]


def judge(now: Counts, before: Mapping[str, int]) -> Judgement:
    """Compare counts by title."""
    rows, grown = [], []
    for title in sorted(now.instructions.keys() & before.keys()):
        count, limit = now.instructions[title], TOLERANCE[now.languages[title]]
        change = count / before[title] - 1
        verdict = "MORE" if change > limit else "fewer" if change < -limit else "same"
        if change > limit:
            grown.append(title)
        rows.append(f"{title:58} {before[title]:>12,} {count:>12,} {change:>+8.2%}  {limit:.0%}  {verdict}")
    return Judgement(rows, grown, sorted(now.instructions.keys() ^ before.keys()))


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


def gate(scratch: Path, kept: Mapping[str, Any]) -> int:
    """Print what was found; the exit code."""
    other = differences(counting_versions(), kept["versions"])
    ours = export_files(ROOT, scratch / "ours")
    if not other:
        (now,) = count([ours], [0], scratch)
        verdict = judge(now, {title: row["instructions"] for title, row in kept["subjects"].items()})
        if not verdict.grown:
            return report(now, verdict, f"the counts that {KEPT.name} keeps")
        print("\n".join(verdict.rows))
        print(
            f"{len(verdict.grown)} subjects grew; before that is said, the revision that wrote {KEPT.name} is counted"
        )
    else:
        print(f"versions differ from those of {KEPT.name}: {'; '.join(other)}")
        print("so the revision that wrote it is counted here and now, with the same versions")
    try:
        base = export_revision(ROOT, base_revision(ROOT), scratch / "base")
    except TreeError as error:
        if other:
            return cannot_judge(str(error))
        print(f"cannot count that revision: {error}", file=sys.stderr)
        return 1
    return gate_against(base, ours, scratch, certain=not other)


def gate_against(base: Tree, ours: Tree, scratch: Path, *, certain: bool) -> int:
    """Count both trees with the same versions; with three layouts of memory each, if a subject grew or ``certain``."""
    against = f"revision {base.name}, counted here"
    if not certain:
        then, now = count([base, ours], [0], scratch)
        verdict = judge(now, then.instructions)
        if not verdict.grown:
            return report(now, verdict, against)
        print(f"{len(verdict.grown)} subjects grew; before that is said, both are counted in other layouts of memory")
    then, now = count([base, ours], [1, 2, 3], scratch)
    return report(now, judge(now, then.instructions), against)


def count(trees: Sequence[Tree], seeds: Sequence[int], scratch: Path) -> list[Counts]:
    """The least counts of each tree over the seeds, on all processors."""
    cwd = entrance(scratch, trees[-1])
    with ThreadPoolExecutor(usable_processors()) as pool:
        runs = [
            [pool.submit(count_tree, tree, cwd, scratch / f"{tree.folder.name}-{seed}", seed) for seed in seeds]
            for tree in trees
        ]
        return [least([run.result() for run in of_tree]) for of_tree in runs]


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
    print(f"{len(verdict.rows)} subjects execute no more instructions than {against}")
    return 0


def cannot_judge(reason: str) -> int:
    """Say so where nobody can overlook it. No failure: the code may be as fast as ever."""
    print(f"\n*** THE INSTRUCTION GATE WAS SKIPPED: {reason} ***\n", file=sys.stderr, flush=True)
    return 0


def refresh(scratch: Path) -> int:
    """Count and keep."""
    ours = export_files(ROOT, scratch / "ours")
    (counts,) = count([ours], [0], scratch)
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
    options = parser.parse_args()
    if reason := why_not():
        return cannot_judge(reason)
    try:
        with scratch_folder() as scratch:
            if options.refresh:
                return refresh(scratch)
            if not KEPT.is_file():
                return cannot_judge(f"{KEPT} does not exist; {REFRESH} makes it")
            return gate(scratch, read_record(KEPT, "instructions"))
    except (TreeError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; nothing was written", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
