"""Trees to be measured, each in a folder of its own and built: a revision, or the files as they are now."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.environment import first_line

ROOT = Path(__file__).parents[2]
CACHE = ROOT / "build" / "bench"
"""Kernels that were built, by what they were built from."""


class TreeError(Exception):
    """A tree cannot be had or built; the message says why and what to do."""


@dataclass(frozen=True)
class Tree:
    """``folder`` holds the files, its kernels built; ``name`` is for people."""

    folder: Path
    name: str


def git(root: Path, *arguments: str) -> str:
    """What git prints; raises :class:`TreeError`."""
    # A read-only tree often belongs to somebody else.
    command = ["git", "-c", f"safe.directory={root}", "-C", str(root), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except FileNotFoundError:
        raise TreeError("cannot read revisions: git is not installed; install it") from None
    except subprocess.CalledProcessError as error:
        raise TreeError(f"cannot run git {arguments[0]}: {error.stderr.strip()}") from None


def resolve(root: Path, revision: str, name: str = "BASE") -> str:
    """The commit of a revision; raises :class:`TreeError`, which calls the revision ``name``."""
    try:
        return git(root, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    except TreeError:
        raise TreeError(f"{name} must be a revision of this repository, got {revision!r}; see git log") from None


def export_revision(root: Path, revision: str, folder: Path) -> Tree:
    """The files of a revision, its kernels built. Nothing is written into the repository."""
    commit = resolve(root, revision)
    archive = folder.parent / f"{folder.name}.tar"
    git(root, "archive", f"--output={archive}", commit)
    with tarfile.open(archive) as tar:
        tar.extractall(folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))  # type: ignore[arg-type]
    archive.unlink()
    short = commit[:10]
    return build(Tree(folder, short if commit.startswith(revision) else f"{revision} ({short})"))


def export_files(root: Path, folder: Path) -> Tree:
    """The files as they are now, kernels built."""
    copy_files(root, folder)
    return build(Tree(folder, describe(root)))


def copy_files(root: Path, folder: Path) -> None:
    """Changed and new ones included, ignored ones not."""
    try:
        listed = git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
        for name in filter(None, listed):
            if (root / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(root / name, folder / name)
    except TreeError:  # an archive of the sources
        skipped = shutil.ignore_patterns("build", ".venv*", "*.so", "__pycache__", "*.egg-info", ".*_cache")
        shutil.copytree(root, folder, ignore=skipped, dirs_exist_ok=True)


def describe(root: Path) -> str:
    """The commit of the files as they are now, and whether they were changed since."""
    try:
        changed = git(root, "status", "--porcelain")
        return git(root, "rev-parse", "--short=10", "HEAD") + (" and changes" if changed else "")
    except TreeError:
        return "these files"


def build(tree: Tree) -> Tree:
    """Build the kernels, or take those that were built from the same files; raises :class:`TreeError`."""
    name = f"_kernels{sysconfig.get_config_var('EXT_SUFFIX')}"
    kept = CACHE / _digest(tree.folder) / name
    target = tree.folder / "ferserve" / name
    if kept.is_file():
        shutil.copy2(kept, target)
        return tree
    command = [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("FERSERVE_EXT")}
    done = subprocess.run(command, cwd=tree.folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode or not target.is_file():
        last = "\n".join((done.stderr or done.stdout).strip().splitlines()[-15:])
        raise TreeError(
            f"cannot build {tree.name}: setup.py build_ext gave exit code {done.returncode}; it said\n{last}"
        )
    with contextlib.suppress(OSError):  # a read-only tree: built again next time
        kept.parent.mkdir(parents=True, exist_ok=True)
        partial = kept.with_suffix(f".{os.getpid()}")
        shutil.copy2(target, partial)
        partial.replace(kept)
    return tree


def _digest(folder: Path) -> str:
    """Of all that the kernels are built from."""
    digest = hashlib.sha256(f"{sys.version} {first_line('gcc', '--version')} {os.environ.get('CFLAGS')}".encode())
    for path in sorted([*(folder / "ext").glob("*"), folder / "setup.py"]):
        if path.is_file():
            digest.update(f"{path.name} {path.stat().st_size} ".encode() + path.read_bytes())
    return digest.hexdigest()[:20]


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder for trees that is gone afterwards, also after Ctrl-C."""
    with tempfile.TemporaryDirectory(prefix="ferserve-bench-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def entrance(tree: Tree) -> Path:
    """The folder to run ``python -m tests.benchmarks...`` in: there lie the benchmarks of ``tree`` and nothing else,
    so that PYTHONPATH chooses the ``ferserve`` that they measure."""
    folder = tree.folder.with_suffix(".entrance")
    if not folder.exists():
        folder.mkdir()
        (folder / "tests").symlink_to(tree.folder / "tests", target_is_directory=True)
    return folder
