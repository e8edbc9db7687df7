"""Prints versions, then measures every subject once: a line of JSON for each, or why this tree cannot have it.

``[TEXT]`` in: only subjects with that text in their title. PYTHONPATH chooses the ``ferserve`` that is measured.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from typing import IO, Any

from tests.benchmarks.blocks import TURNS, block, plan, turns
from tests.benchmarks.environment import versions
from tests.benchmarks.former_names import know_former_names
from tests.benchmarks.subjects import load_subjects
from tests.benchmarks.subjects.subject import Room, Subject, Work


def measured(work: Work) -> dict[str, Any]:
    """Seconds per call in turns, the yardstick's too if there is one, and what a call holds."""
    gc.collect()
    gc.freeze()
    if work.yardstick:
        ours, its = zip(*turns(work.ours, work.yardstick), strict=True)
        return {"units": work.units, "ours_s": ours, "yardstick_s": its}
    planned = plan(work.ours)
    return {"units": work.units, "ours_s": [block(work.ours, planned) for _ in range(TURNS)], "yardstick_s": []}


def attempt(subject: Subject, room: Room) -> dict[str, Any]:
    """The figures of one subject, or the reason for none."""
    try:
        return measured(subject.make(room))
    except Exception as error:
        return {"failed": f"{type(error).__name__}: {str(error)[:200]}"}


def main(only: str, lines: IO[str]) -> None:
    """Every light subject; groups that this tree does not have come first."""
    print(json.dumps(versions()), file=lines, flush=True)
    subjects, missing = load_subjects()
    for group, why in missing.items():
        print(json.dumps({"title": group, "failed": why}), file=lines, flush=True)
    with Room() as room:
        for subject in subjects:
            if only in subject.title and not subject.heavy:
                line = {"title": subject.title, "yardstick": subject.yardstick, **attempt(subject, room)}
                print(json.dumps(line), file=lines, flush=True)


if __name__ == "__main__":
    own = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # nobody else writes among the lines
    know_former_names()
    main(*(sys.argv[1:] or [""]), own)
