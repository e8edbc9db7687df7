"""``ferserve`` with arguments, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

FERSERVE = [sys.executable, "-W", "error", "-m", "ferserve"]
"""The command line up to its arguments; warnings are errors."""


def run_command(*arguments: object, **settings: Any) -> subprocess.CompletedProcess[str]:
    """Wait for the end of a command; ``settings`` are those of :func:`subprocess.run`."""
    command = [*FERSERVE, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=50, **settings)
