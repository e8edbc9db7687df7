"""Ctrl-C."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import builders
from tests.serving.commands import FERSERVE

# A shell that runs the tests in the background has SIGINT ignored, and that is inherited.
HEED = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"

PATIENT = """
from ferserve.cli import main
from ferserve.sources import container, web_image
container.OPEN_TIMEOUT_S = container.READ_TIMEOUT_S = web_image._SILENCE_S = 1e4
main()
"""
"""The command line, with timeouts that no test outlives."""


@contextlib.contextmanager
def _started(*command: object) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", HEED, *map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_recording_ends_before_its_end(tmp_path: Path, folder: Path) -> None:
    long = builders.video_file(tmp_path / "long.avi", frames=600)
    command = [*FERSERVE, "stream", long, "--json", "--model", folder / "brightness.onnx"]
    with _started(*command) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert (process.wait(), process.stderr.read()) == (130, "")
    assert len(rest.splitlines()) < 599


@pytest.mark.parametrize(
    ("command", "scheme"), [("stream", "tcp"), ("stream", "http"), ("stream", "rtsp"), ("classify", "http")]
)
def test_a_server_that_accepts_and_never_answers_is_left(folder: Path, command: str, scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"{scheme}://127.0.0.1:{listening.getsockname()[1]}/x"
        arguments = [command, url, "never-reached.avi", "--json", "--model", folder / "brightness.onnx"]
        warnings = ("-W", "error", "-W", "ignore::ResourceWarning")  # urllib leaves its socket to the garbage collector
        with _started(sys.executable, *warnings, "-c", PATIENT, *arguments) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            connection, _ = listening.accept()
            with connection:
                process.send_signal(signal.SIGINT)
                assert (process.wait(), process.stdout.read(), process.stderr.read()) == (130, "", "")
