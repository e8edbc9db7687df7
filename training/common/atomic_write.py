"""Files that are whole or not there: written beside their place, and put into it in one step."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def draft_of(target: Path) -> Iterator[Path]:
    """A path to write in the place of ``target``, which it becomes at the end; after an error it is gone.

    So are files that lie beside it.
    """
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        draft = Path(folder) / target.name
        yield draft
        os.replace(draft, target)
