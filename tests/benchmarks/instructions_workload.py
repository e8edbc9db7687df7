"""The process whose instructions are counted: ``MARKS.so [TEXT]`` in, one callgrind profile per subject out.

It uses the ``ferserve`` that comes first in PYTHONPATH. A subject runs until the interpreter has specialised its
bytecode; then a fixed number of calls is counted, without the garbage collector.
"""

from __future__ import annotations

import ctypes
import gc
import itertools
import json
import sys
from collections.abc import Iterator

from tests.benchmarks.former_names import know_former_names
from tests.benchmarks.subjects import load_subjects
from tests.benchmarks.subjects.subject import Call, Room, Subject

GROUPS = ("kernels", "decode", "tracking", "messages", "pipeline")
"""Those with subjects that execute the same instructions on every run."""
WARMUP = 28
CALLS = {"C": 4, "Python": 28}
"""28 are twice the frames of a clip that plays there and back."""


def calls_of(subject: Subject, room: Room) -> Iterator[tuple[str, Call]]:
    """The subject's calls by title; kernels once for every instruction set that valgrind knows."""
    ours = subject.make(room).ours
    if subject.group != "kernels":
        yield subject.title, ours
        return
    from ferserve import _kernels

    chosen, *others = _kernels.features()["available"]
    for path in (*others, chosen):
        _kernels.use_path(path)
        yield f"{subject.title}, {path}", ours


def count(title: str, call: Call, language: str, marks: ctypes.CDLL) -> None:
    """Dump the profile of some calls under ``title/language/calls``."""
    calls = CALLS[language]
    for _ in itertools.repeat(None, WARMUP):
        call()
    gc.collect()
    gc.freeze()
    marks.marks_begin()
    for _ in itertools.repeat(None, calls):
        call()
    marks.marks_end(f"{title}/{language}/{calls}".encode())


def count_subject(subject: Subject, room: Room, marks: ctypes.CDLL) -> str:
    """Why the subject cannot be counted: this tree may be older than it. Empty if all went well."""
    try:
        for title, call in calls_of(subject, room):
            count(title, call, subject.counted, marks)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def main(marks_path: str, only: str = "") -> None:
    """Count every subject with ``only`` in its title; print those that this tree does not have."""
    gc.disable()
    know_former_names()
    marks = ctypes.CDLL(marks_path)
    subjects, missing = load_subjects(GROUPS)
    with Room() as room:
        wanted = [subject for subject in subjects if subject.counted and only in subject.title]
        tried = {subject.title: count_subject(subject, room, marks) for subject in wanted}
    print(json.dumps({"failed": missing | {title: why for title, why in tried.items() if why}}))


if __name__ == "__main__":
    main(*sys.argv[1:])
