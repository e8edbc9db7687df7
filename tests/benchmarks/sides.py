"""The two sides of a paired comparison: a process each, with a tree and a virtual environment of its own."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import signal
import subprocess
import sys
import venv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from tests.benchmarks.trees import Tree, TreeError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_STOP_S = 20.0
_ONLY_TESTS = ("pillow", "scikit-image", "scikit-learn", "packaging", "onnx")
"""What subjects need besides the tree's own dependencies."""


class SideError(Exception):
    """A side ended too early; the message has its last words."""


@dataclass
class Side:
    """A running process that times blocks."""

    process: subprocess.Popen[str]
    log: Path
    titles: tuple[str, ...] = ()
    failed: dict[str, str] | None = None

    def wait_until_ready(self) -> None:
        """Its subjects are made; raises :class:`SideError`."""
        titles, self.failed = self._reply()
        self.titles = tuple(titles)

    def ask(self, *order: Any) -> Any:
        """Send an order and wait for the reply; raises :class:`SideError`."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(order) + "\n")
            self.process.stdin.flush()
        return self._reply()

    def _reply(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SideError(f"a measuring process ended early; it said\n{self.log.read_text()[-1500:]}")
        return json.loads(line)


@contextlib.contextmanager
def opened(python: Path, tree: Tree, cwd: Path, choice: Sequence[str], log: Path) -> Iterator[Side]:
    """A process that makes the chosen subjects of ``tree``. It has a session of its own: only we get Ctrl-C."""
    command = [str(python), "-m", "tests.benchmarks.paired_worker", *choice]
    environment = {**os.environ, "PYTHONPATH": str(tree.folder), "PYTHONDONTWRITEBYTECODE": ""}
    with log.open("w") as words:
        process = subprocess.Popen(
            command, cwd=cwd, env=environment, start_new_session=True, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=words,
        )  # fmt: skip
    try:
        yield Side(process, log)
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[str]) -> None:
    """Let it end what it started, and end all of it if it does not."""
    with contextlib.suppress(BrokenPipeError):
        assert process.stdin is not None
        process.stdin.close()
    try:
        process.wait(_STOP_S)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert process.stdout is not None
    process.stdout.close()


def make_environment(tree: Tree, folder: Path) -> Path:
    """The interpreter of a new virtual environment for ``tree``; raises :class:`TreeError`.

    It shares the packages that are installed here if the tree can work with them, so that both sides differ in our own
    code alone. Otherwise it gets what the tree asks for.
    """
    project = tomllib.loads((tree.folder / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [Requirement(text) for text in project.get("dependencies", [])]
    unmet = [str(requirement) for requirement in wanted if not _met(requirement)]
    venv.create(folder, with_pip=bool(unmet), symlinks=True)
    python = folder / "bin" / "python"
    if unmet:
        packages = [*map(str, wanted), *_ONLY_TESTS]
        command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise TreeError(f"cannot install what {tree.name} needs ({', '.join(unmet)}): {done.stderr.strip()[-800:]}")
        return python
    libraries = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "shared.pth").write_text("\n".join(libraries) + "\n")
    return python


def _met(requirement: Requirement) -> bool:
    if requirement.marker is not None and not requirement.marker.evaluate():
        return True
    try:
        return requirement.specifier.contains(importlib.metadata.version(requirement.name), prereleases=True)
    except importlib.metadata.PackageNotFoundError:
        return False
