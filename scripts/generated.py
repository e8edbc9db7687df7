"""Files that are generated, and checked to be current with ``--check``."""

from __future__ import annotations

import sys
from pathlib import Path


def keep_current(path: Path, text: str) -> int:
    """Write ``text``, or with ``--check`` say whether it is what ``path`` holds; returns the exit code."""
    if "--check" not in sys.argv[1:]:
        path.write_text(text, "utf-8")
    elif not path.is_file() or path.read_text("utf-8") != text:
        print(f"{path} is not current; run `python scripts/{Path(sys.argv[0]).name}`", file=sys.stderr)
        return 1
    return 0
