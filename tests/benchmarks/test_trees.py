"""Trees that are compared: revisions and changed files, and what is said of those that cannot be had."""

from __future__ import annotations

import subprocess
import sysconfig
from pathlib import Path

import pytest

from tests.benchmarks import trees
from tests.benchmarks.callgrind import why_not
from tests.benchmarks.compare import main
from tests.benchmarks.trees import TreeError, describe, export_files, export_revision

SETUP = """
import pathlib
suffix = {suffix!r}
pathlib.Path("ferserve/_kernels" + suffix).write_text(pathlib.Path("ferserve/answer.py").read_text())
"""
SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two commits, the second of which does not build, and a change that does."""
    monkeypatch.setattr(trees, "CACHE", tmp_path / "cache")
    root = tmp_path / "root"
    (root / "ferserve").mkdir(parents=True)
    (root / "ferserve" / "answer.py").write_text("first")
    (root / "setup.py").write_text(SETUP.format(suffix=SUFFIX))
    git(root, "init", "-q")
    commit(root)
    (root / "setup.py").write_text("raise SystemExit('the compiler is on holiday')")
    commit(root)
    (root / "setup.py").write_text(SETUP.format(suffix=SUFFIX))
    (root / "ferserve" / "answer.py").write_text("changed")
    (root / "ferserve" / "new.py").write_text("new")
    return root


def git(root: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@t"]
    subprocess.run(["git", "-C", str(root), *identity, *arguments], check=True, capture_output=True)


def commit(root: Path) -> None:
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "m")


def test_a_revision_is_built_as_it_was(repository: Path, tmp_path: Path) -> None:
    tree = export_revision(repository, "HEAD~1", tmp_path / "base")
    assert (tree.folder / f"ferserve/_kernels{SUFFIX}").read_text() == "first"
    assert tree.name.startswith("HEAD~1 (")


def test_files_are_taken_as_they_are_now(repository: Path, tmp_path: Path) -> None:
    (repository / ".gitignore").write_text("secret")
    (repository / "secret").write_text("ignored")
    tree = export_files(repository, tmp_path / "ours")
    assert (tree.folder / f"ferserve/_kernels{SUFFIX}").read_text() == "changed"
    assert (tree.folder / "ferserve/new.py").exists()
    assert not (tree.folder / "secret").exists()
    assert describe(repository).endswith(" and changes")


def test_files_that_git_does_not_know_are_taken_too(repository: Path, tmp_path: Path) -> None:
    git(repository, "checkout", "-q", "--", ".")
    (repository / "setup.py").write_text(SETUP.format(suffix=SUFFIX))
    (repository / ".git").rename(tmp_path / "elsewhere")
    assert (export_files(repository, tmp_path / "ours").folder / "ferserve/answer.py").read_text() == "first"


def test_a_revision_that_does_not_exist_is_named(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(TreeError, match="BASE must be a revision of this repository, got 'nowhere'"):
        export_revision(repository, "nowhere", tmp_path / "base")


def test_a_revision_that_does_not_build_shows_why(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(TreeError, match=r"cannot build HEAD .*exit code 1[\s\S]*the compiler is on holiday"):
        export_revision(repository, "HEAD", tmp_path / "base")


def test_a_cache_that_cannot_be_written_costs_only_time(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(trees, "CACHE", tmp_path / "file")
    assert export_files(repository, tmp_path / "ours").folder.is_dir()


def test_a_machine_without_valgrind_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert why_not() == "valgrind is not installed (Debian: apt-get install valgrind)"


def test_bisect_skips_what_cannot_be_judged(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """git-bisect(1): exit code 125 means that a revision cannot be tested."""
    monkeypatch.setattr("sys.argv", ["compare", "HEAD", "--tree", str(repository)])
    assert main() == 125
    assert "cannot compare: cannot build HEAD" in capsys.readouterr().err
