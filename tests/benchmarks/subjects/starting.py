"""Starts, each in a new process; the bare interpreter is the yardstick."""

from __future__ import annotations

import contextlib
import subprocess
import sys

import ferserve
from tests.benchmarks.subjects.subject import Call, Room, Subject, Work


def _python(code: str) -> Call:
    command = [sys.executable, "-c", code]
    return lambda: subprocess.run(command, capture_output=True, text=True, check=True).stdout


def importing(_: Room) -> Work:
    ours = _python("import ferserve; print(ferserve.__version__)")
    assert str(ours()).strip() == ferserve.__version__
    return Work(ours, _python("pass"))


def server_start(_: Room) -> Work:
    """From the command to the ready line, and out again."""
    from ferserve.bench.target import open_target
    from ferserve.config import Config, ServerConfig

    config = Config(server=ServerConfig(port=0))

    def ours() -> str:
        with contextlib.ExitStack() as stack:
            return stack.enter_context(open_target("", config)).address

    assert ours().startswith("127.0.0.1:")
    return Work(ours, _python("import grpc, numpy, onnxruntime, cv2"))


SUBJECTS = [
    Subject("starting", "import ferserve", importing, "the bare interpreter"),
    Subject("starting", "ferserve serve", server_start, "the imports that it needs", heavy=True),
]
