"""Names of models: ``NAME``, ``NAME@VERSION`` or ``NAME@ALIAS``."""

from __future__ import annotations

import re

LATEST = "latest"
"""The alias of the highest version that is ready."""


def split_name(text: str) -> tuple[str, str]:
    """The name, and the version or alias behind ``@``, which is empty for the default version."""
    name, _, version = text.partition("@")
    return name, version


def version_key(version: str) -> list[tuple[int, int, str]]:
    """Sorts versions as people count: ``10`` comes after ``9``, and ``1.10`` after ``1.9``."""
    parts = re.findall(r"\d+|\D+", version)
    return [(1, int(part), "") if part.isascii() and part.isdigit() else (0, 0, part) for part in parts]
