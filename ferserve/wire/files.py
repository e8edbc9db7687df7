"""Files that are read again once they change."""

from __future__ import annotations

import os
from typing import TypeAlias

Stamp: TypeAlias = tuple[int, ...]


def stamp(path: str | os.PathLike[str]) -> Stamp | None:
    """Differs between two versions of a file, or of its owner and rights; None if the file is missing."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino
