"""Files that are there whole, or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def part_file(path: Path) -> Iterator[Path]:
    """Gives a name beside ``path`` to write to; at the end that file takes the name ``path``, or goes after an error.

    A process that is killed leaves ``.<name>.part``, which the next one writes over.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
