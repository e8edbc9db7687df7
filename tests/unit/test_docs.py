"""Generated pages are current, and every public name is documented."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

import ferserve
from ferserve.cli.app import app

ROOT = Path(__file__).parents[2]


def test_the_page_of_the_api_is_current() -> None:
    pytest.importorskip("griffe", reason="needs griffe, of the extra docs")
    command = [sys.executable, "scripts/write_api.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", ["metrics", "configuration"])
def test_a_page_made_from_code_is_current(page: str) -> None:
    command = [sys.executable, f"scripts/write_{page}.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_public_name_has_its_section() -> None:
    sections = [line.removeprefix("### ") for line in (ROOT / "docs/api.md").read_text("utf-8").splitlines()]
    for name in set(ferserve.__all__) - {"__version__"}:
        assert sections.count(name) == 1, name


PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMAND = re.compile(r"(?:^|`)(?:\$ )?ferserve ([^`#\n|]+)", re.M)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_and_flag_on_a_page_exists(page: Path) -> None:
    for text in COMMAND.findall(page.read_text("utf-8")):
        assert _unknown(shlex.split(text.replace("…", "").replace("'", ""))) == [], f"ferserve {text}"


def _unknown(words: list[str]) -> list[str]:
    """Words that are no command or flag where one should be."""
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        found = command.commands.get(words[0])
        if found is None:
            return words[:1]
        command, words = found, words[1:]
    flags = {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}
    given = [word.partition("=")[0] for word in words if re.fullmatch(r"--?[a-z][a-z-]*(=.*)?", word)]
    return [flag for flag in given if flag not in {*flags, "--help", "-h"}]


def test_a_wrong_command_would_be_noticed() -> None:
    assert len(COMMAND.findall(PAGES[0].read_text("utf-8"))) >= 10
    assert _unknown(["classify", "photo.jpg", "--jsn"]) == ["--jsn"]
    assert _unknown(["bench", "stream", "--cameras", "4"]) == ["stream"]
