"""Generated pages are current, and every public name is documented."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import ferserve

ROOT = Path(__file__).parents[2]


def test_the_page_of_the_api_is_current() -> None:
    pytest.importorskip("griffe", reason="needs griffe, of the extra docs")
    command = [sys.executable, "scripts/write_api.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_public_name_has_its_section() -> None:
    sections = [line.removeprefix("### ") for line in (ROOT / "docs/api.md").read_text("utf-8").splitlines()]
    for name in set(ferserve.__all__) - {"__version__"}:
        assert sections.count(name) == 1, name
