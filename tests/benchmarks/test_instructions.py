"""The counted subjects: each answers, and each has its count in the repository."""

from __future__ import annotations

import pytest

from tests.benchmarks.instructions import KEPT, TOLERANCE
from tests.benchmarks.instructions_workload import GROUPS, calls_of
from tests.benchmarks.record import read_record
from tests.benchmarks.subjects import load_group, load_subjects
from tests.benchmarks.subjects.subject import Room


def test_every_counted_subject_has_a_kept_count() -> None:
    """A kernel has one for each instruction set, which follows its title."""
    kept = read_record(KEPT, "instructions")["subjects"]
    allowed = {subject.title: TOLERANCE[subject.counted] for subject in load_subjects()[0] if subject.counted}
    titles = {title: title if title in allowed else title.rpartition(", ")[0] for title in kept}
    assert set(titles.values()) == set(allowed)
    assert all(row["tolerance"] == allowed[titles[title]] for title, row in kept.items())


def test_every_counted_subject_is_in_a_group_that_the_workload_loads() -> None:
    subjects, missing = load_subjects()
    assert not missing
    assert {subject.group for subject in subjects if subject.counted} == set(GROUPS)
    assert len({subject.title for subject in subjects}) == len(subjects)


@pytest.mark.parametrize("group", GROUPS)
def test_the_workload_runs_every_subject(group: str) -> None:
    """Making a subject asserts its answer."""
    with Room() as room:
        counted = [subject for subject in load_group(group) if subject.counted]
        titles = []
        for subject in counted:
            for title, call in calls_of(subject, room):
                call()
                titles.append(title)
    assert len(titles) == len(set(titles)) >= len(counted)
