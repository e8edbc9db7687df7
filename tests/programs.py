"""Programs of other machines, as shell scripts on the path."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def put_on_path(monkeypatch: pytest.MonkeyPatch, folder: Path, name: str, script: str) -> None:
    """Make ``script`` the program ``name`` for this test."""
    programs = folder / "programs"
    programs.mkdir(exist_ok=True)
    (programs / name).write_text(f"#!/bin/sh\n{script}\n")
    (programs / name).chmod(0o755)
    if not os.environ["PATH"].startswith(f"{programs}:"):
        monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
