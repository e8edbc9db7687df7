"""Names of output folders: short ones, each once."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath


def output_names(paths: Sequence[str]) -> list[str]:
    """A folder for each of ``paths``, which are relative: those without their suffixes.

    Paths that would share a folder, or lie in another's, keep their suffix; those that are equal even so are numbered
    in their order.
    """
    safe = [_relative(path) for path in paths]
    short = [_without_suffix(path) for path in safe]
    counts = Counter(short)
    parents = {str(parent) for path in short for parent in PurePosixPath(path).parents}
    names = [
        path if counts[path] == 1 and path not in parents else whole for path, whole in zip(short, safe, strict=True)
    ]
    return _numbered(names)


def name_of_url(url: str) -> str:
    """A name for what is behind ``url``, without a password."""
    _, _, rest = url.partition("://")
    rest = rest.rpartition("@")[2].partition("?")[0]
    return re.sub(r"[^\w.-]+", "-", rest).strip("-.") or "stream"


def _relative(path: str) -> str:
    parts = [part for part in os.path.normpath(path).split(os.sep) if part not in ("", ".", "..")]
    return "/".join(parts) or "source"


def _without_suffix(path: str) -> str:
    folder, name = os.path.split(path)
    return os.path.join(folder, os.path.splitext(name)[0])


def _numbered(names: Sequence[str]) -> list[str]:
    taken, seen = set(names), Counter[str]()
    numbered = []
    for name in names:
        seen[name] += 1
        unique, number = name, seen[name]
        while number > 1 and unique in taken:
            unique = f"{name}-{number}"
            number += 1
        taken.add(unique)
        numbered.append(unique)
    return numbered
