"""gunicorn loads an application before it forks its workers, with the clients that the application makes."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("gunicorn", reason="needs gunicorn, of the extra test")

APPLICATION = """
import os
import ferserve

client = ferserve.Client(os.environ["TARGET"], timeout_s=5)
if os.environ["USED"]:
    client.models()


def application(environ, start):
    try:
        if environ["PATH_INFO"] == "/own":
            with ferserve.Client(os.environ["TARGET"], timeout_s=5) as own:
                text = f"{len(own.models())} models"
        else:
            text = f"{len(client.models())} models"
    except ferserve.FerserveError as error:
        text = str(error)
    start("200 OK", [("Content-Type", "text/plain")])
    return [text.encode()]
"""


@contextmanager
def _gunicorn(folder: Path, target: str, used: bool) -> Iterator[Path]:
    """The socket of a gunicorn with two workers, which must end well."""
    (folder / "asks.py").write_text(APPLICATION)
    path = folder / "socket"
    command = [sys.executable, "-m", "gunicorn.app.wsgiapp", "--preload", "--workers", "2", "--bind", f"unix:{path}"]
    environment = {**os.environ, "TARGET": target, "USED": "1" if used else ""}
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen([*command, "asks:application"], cwd=folder, env=environment, stderr=output)
    try:
        yield path
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert "signal" not in log.read_text().replace("Handling signal", "")
    finally:
        process.kill()
        process.wait()


def _get(path: Path, url: str) -> str:
    connection = http.client.HTTPConnection("localhost")
    for _ in range(200):
        try:
            connection.sock = _connect(path)
            break
        except OSError:
            time.sleep(0.1)
    connection.request("GET", url)
    text = connection.getresponse().read().decode()
    connection.close()
    return text


def _connect(path: Path) -> object:
    import socket

    connected = socket.socket(socket.AF_UNIX)
    connected.settimeout(30)
    try:
        connected.connect(str(path))
    except OSError:
        connected.close()
        raise
    return connected


def test_workers_use_the_client_of_a_preloaded_application(served: str, tmp_path: Path) -> None:
    with _gunicorn(tmp_path, served, used=False) as path:
        assert _get(path, "/") == "4 models"
        assert _get(path, "/own") == "4 models"


def test_workers_of_an_application_that_used_its_client_are_told_why_they_cannot(served: str, tmp_path: Path) -> None:
    with _gunicorn(tmp_path, served, used=True) as path:
        for url in ("/", "/own"):
            assert _get(path, url).startswith("client must be used in a process that was forked before its parent")
