"""Commands under their old names still run, and every command that the documents name exists."""

from __future__ import annotations

import re
import runpy
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from training import __main__ as command
from training.moved import MOVED

ROOT = Path(command.__file__).parents[1]
GUARD = 'if __name__ == "__main__"'
DOCUMENTS = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "ferserve" / "models").glob("*.md")]
SOURCES = [*(ROOT / "training").rglob("*.py"), *(ROOT / "training").rglob("*.md")]
PACKAGE = re.compile(r"training\.emotion_lite\.gpu")
"""Run by its ``__main__``."""
MODULE = re.compile(r"python -m\s+(training\.\w[\w.]*\w)")
SUBCOMMAND = re.compile(r"python -m\s+training ([a-z][a-z-]*)")


def source_of(module: str) -> str:
    spec = find_spec(f"{module}.__main__") if PACKAGE.fullmatch(module) else find_spec(module)
    assert spec is not None, module
    assert spec.origin is not None
    return Path(spec.origin).read_text()


OLD_COMMANDS = sorted(old for old, new in MOVED.items() if GUARD in source_of(new))


def texts() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in (*DOCUMENTS, *SOURCES))


@pytest.mark.parametrize("name", OLD_COMMANDS)
def test_a_command_under_its_old_name_still_runs(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", [name, "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(name, run_name="__main__")
    assert ended.value.code == 0
    assert "usage:" in capsys.readouterr().out


def test_every_old_module_can_be_imported() -> None:
    assert len(OLD_COMMANDS) >= 8
    for old, new in MOVED.items():
        assert import_module(old).__file__ == import_module(new).__file__, old


def test_every_module_that_a_document_runs_is_there() -> None:
    named = set(MODULE.findall(texts()))
    assert "training.emotion_lite.card" in named
    for name in sorted(named):
        assert GUARD in source_of(name), f"python -m {name} does nothing"


def test_every_subcommand_that_a_document_names_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    named = set(SUBCOMMAND.findall(texts()))
    assert {"run", "evaluate", "compress", "cost"} <= named
    for name in sorted(named):
        assert command.main([name, "--help"]) == 0, f"python -m training {name}"
    assert "Usage:" in capsys.readouterr().out
