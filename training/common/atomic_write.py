"""Writes files whole or not at all: beside their place first, then moved into it in one step."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def atomic_write(target: Path) -> Iterator[Path]:
    """Yield a path to write to; it replaces ``target`` when the block ends, and vanishes if the block raises.

    Other files written beside the yielded path are deleted either way.
    """
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        partial = Path(folder) / target.name
        yield partial
        os.replace(partial, target)
