"""What stands beside the package: images for containers, and make."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from ferserve.config import load_config

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["Dockerfile", "Dockerfile.jetson"])
@pytest.mark.parametrize("arguments", [{}, {"workers": 4}])
def test_a_container_can_be_reached_whatever_its_arguments(name: str, arguments: dict[str, int]) -> None:
    """Arguments of ``docker run`` take the place of CMD; the environment stays."""
    text = (ROOT / name).read_text()
    env = dict(pair.split("=", 1) for line in re.findall(r"^ENV (.*)$", text, re.M) for pair in shlex.split(line))
    assert not re.search(r"^CMD", text, re.M)
    assert load_config(env=env, flags={"server": arguments}).server.host == "0.0.0.0"


def test_make_help_lists_every_target() -> None:
    done = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )
    declared = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.M)
    assert declared
    assert {line.split()[0] for line in done.stdout.splitlines()} == set(declared[1].split())
