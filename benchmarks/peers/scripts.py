"""The peers: what their scripts say of themselves, and the virtual environment that each gets."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tests.benchmarks.trees import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER = Path(__file__).parent
ENVIRONMENTS = ROOT / "build" / "peers"
_BLOCK = re.compile(r"(?m)^# /// script$\s((?:^#(?:| .*)$\s)+)^# ///$")
_STOP_S = 10.0


class PeerError(Exception):
    """A peer cannot be run; the message says why and what to do."""


class QuotedPeerError(PeerError):
    """With the last words of the peer."""


@dataclass(frozen=True)
class Peer:
    """A script of this folder. ``task`` is ``frames``, ``crops`` or ``ours``; ``settings`` are its other ones."""

    name: str
    needs: tuple[str, ...]
    task: str
    settings: dict[str, Any]

    def python(self) -> Path:
        """The interpreter of its environment, which is made if it is missing; raises :class:`PeerError`."""
        for file in self.settings.get("files", ()):
            if not Path(file).expanduser().is_file():
                raise PeerError(f"{file} is not at hand: {self.settings['missing']}")
        if not self.needs:
            return Path(sys.executable)
        folder = ENVIRONMENTS / self.name
        stamp = folder / "installed.txt"
        wanted = "\n".join(self.needs)
        if not stamp.is_file() or stamp.read_text("utf-8") != wanted:
            self._install(folder)
            stamp.write_text(wanted, "utf-8")
        return folder / "bin" / "python"

    def _install(self, folder: Path) -> None:
        print(f"{self.name}: installing {', '.join(self.needs)} into {folder}", file=sys.stderr, flush=True)
        alone = tuple(self.settings.get("without-dependencies", ()))
        bare = [need for need in self.needs if alone and need.startswith(alone)]
        rest = [need for need in self.needs if need not in bare]
        try:
            venv.create(folder, symlinks=True)
            for packages in (rest, ["--no-deps", *bare] if bare else []):
                self._pip(folder, packages)
        except BaseException:  # the next run begins anew
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def _pip(self, folder: Path, packages: list[str]) -> None:
        if not packages:
            return
        command = [
            folder / "bin" / "python",
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            *packages,
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            last = [line for line in done.stderr.splitlines() if "ERROR" in line] or done.stderr.splitlines()[-1:]
            raise PeerError(f"pip cannot install {', '.join(packages)}: {' '.join(last)[:300]}")

    @contextlib.contextmanager
    def started(self, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
        """Its process, in a session of its own, which ends with all that it started."""
        command = [str(self.python()), "-m", f"{__package__}.{self.name}", *arguments]
        variables = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore", "TF_CPP_MIN_LOG_LEVEL": "3"}
        with tempfile.TemporaryDirectory(prefix="ferserve-peer-") as folder, tempfile.TemporaryFile("w+") as words:
            process = subprocess.Popen(
                command, cwd=folder, env={**variables, **environment}, start_new_session=True, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=words,
            )  # fmt: skip
            try:
                yield process
            except QuotedPeerError:
                raise
            except PeerError as error:
                raise QuotedPeerError(f"{error}; {_last_words(words)}") from None
            finally:
                _stop(process)


def _stop(process: subprocess.Popen[str]) -> None:
    """SIGTERM to all of its session, SIGKILL to what does not hear."""
    for kill, wait_s in ((15, _STOP_S), (9, None)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, kill)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(wait_s)
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(BrokenPipeError):
            assert pipe is not None
            pipe.close()


def _last_words(words: IO[str]) -> str:
    words.seek(0)
    lines = [line.strip() for line in words.read().splitlines() if line.strip()]
    telling = [line for line in lines if "Error" in line] or lines
    return f"its last words: {telling[-1][:200]}" if telling else "it said nothing"


def find_peers() -> dict[str, Peer]:
    """By name; every script of this folder with a block of metadata."""
    found = {path.stem: _BLOCK.search(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.py"))}
    return {name: _peer(name, block[1]) for name, block in found.items() if block}


def _peer(name: str, block: str) -> Peer:
    said = tomllib.loads("\n".join(line[2:] for line in block.splitlines()))
    settings = said["tool"]["peer"]
    return Peer(name, tuple(said["dependencies"]), settings.pop("task"), settings)
