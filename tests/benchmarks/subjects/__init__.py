"""The registry of subjects: one file per group, each with a list ``SUBJECTS``."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from tests.benchmarks.subjects.subject import Subject

GROUPS = (
    "kernels",
    "decode",
    "detection",
    "tracking",
    "messages",
    "classifier",
    "pipeline",
    "serving",
    "doors",
    "starting",
)


def load_group(group: str) -> Sequence[Subject]:
    """The subjects of one file; raises ImportError in a tree without the parts that they measure."""
    subjects: Sequence[Subject] = importlib.import_module(f"{__name__}.{group}").SUBJECTS
    return subjects


def load_subjects(groups: Sequence[str] = GROUPS) -> tuple[list[Subject], dict[str, str]]:
    """All subjects of ``groups``, and for each group that this tree does not have the reason."""
    loaded = {group: _load_or_say_why(group) for group in groups}
    found = [subject for subjects in loaded.values() if not isinstance(subjects, str) for subject in subjects]
    return found, {group: why for group, why in loaded.items() if isinstance(why, str)}


def _load_or_say_why(group: str) -> Sequence[Subject] | str:
    try:
        return load_group(group)
    except ImportError as error:
        return str(error)
