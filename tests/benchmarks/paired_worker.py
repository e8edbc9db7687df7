"""One side of a paired comparison: makes its subjects, then times a block whenever it is told to.

Lines of JSON come in and go out. ``["plan", title]`` asks how to time a subject, ``["block", title, calls, samples]``
for seconds per call. The end of the input ends the process and what it started.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from typing import IO, Any

from tests.benchmarks.blocks import Plan, block, plan
from tests.benchmarks.former_names import know_former_names
from tests.benchmarks.subjects import load_subjects
from tests.benchmarks.subjects.subject import Call, Room, Subject


def make_calls(room: Room, only: str, heavy: bool) -> tuple[dict[str, Call], dict[str, str]]:
    """The calls of the subjects whose title has ``only``, and why others have none."""
    subjects, failed = load_subjects()
    wanted = [subject for subject in subjects if only in subject.title and (heavy or not subject.heavy)]
    made = {subject.title: _make(subject, room) for subject in wanted}
    failed |= {title: why for title, why in made.items() if isinstance(why, str)}
    return {title: call for title, call in made.items() if not isinstance(call, str)}, failed


def _make(subject: Subject, room: Room) -> Call | str:
    """The call, or why this tree cannot have it: it may be older than the subject."""
    try:
        return subject.make(room).ours
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:200]}"


def answer(order: list[Any], calls: dict[str, Call]) -> Any:
    """What an order asks for."""
    if order[0] == "plan":
        planned = plan(calls[order[1]])
        return [planned.calls, planned.samples]
    return block(calls[order[1]], Plan(*order[2:]))


def main(only: str, heavy: bool, replies: IO[str]) -> None:
    """Until the input ends."""
    with Room() as room:
        calls, failed = make_calls(room, only, heavy)
        gc.collect()
        gc.freeze()
        print(json.dumps([sorted(calls), failed]), file=replies, flush=True)
        for line in sys.stdin:
            print(json.dumps(answer(json.loads(line), calls)), file=replies, flush=True)


if __name__ == "__main__":
    own = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # nobody else writes among the replies
    know_former_names()
    main(sys.argv[1], sys.argv[2:] == ["heavy"], own)
