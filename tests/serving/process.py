"""``ferserve serve`` in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def serve_command(model_dir: Path, port: int = 0) -> list[str]:
    """The command line of a server with the test's own models; its warnings are errors."""
    arguments = ["--port", str(port), "--model", "brightness", "--model-dir", str(model_dir), "--threads", "2"]
    arguments += ["--workers", "1"]
    return [sys.executable, "-W", "error", "-m", "ferserve", "serve", *arguments]


class ServerProcess:
    """Starts, waits for the ready line, and leaves nothing behind. A context manager."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.ready_line = self.process.stdout.readline().rstrip()
        assert self.ready_line, self.rest()
        self.address = self.ready_line.removeprefix("ferserve ready on ").partition(" ")[0]

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def __enter__(self) -> ServerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def wait(self) -> int:
        """The exit code."""
        return self.process.wait(20)

    def rest(self) -> tuple[str, str]:
        """What else it wrote to stdout and stderr; waits for its end."""
        return self.process.communicate(timeout=20)
