"""Under gevent and eventlet a client works or says why it cannot; it never hangs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import ferserve

PROGRAM = """
import sys
exec(sys.argv[2])
import ferserve

with ferserve.Client(sys.argv[1], timeout_s=5) as client:
    try:
        print(len(client.models()), "models", [r.fault is None for r in client.stream([b"x"] * 3, fps=30)])
    except ferserve.FerserveError as error:
        print(error)
"""

GEVENT = "from gevent import monkey; "
EVENTLET = "import eventlet; "
WORKS = "4 models [False, False, False]"


def _run(served: str, patch: str) -> str:
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, served, patch]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("library", "patch"),
    [("gevent", f"{GEVENT}monkey.patch_all()"), ("eventlet", f"{EVENTLET}eventlet.monkey_patch()")],
)
def test_patched_threads_are_an_error(library: str, patch: str, served: str) -> None:
    pytest.importorskip(library, reason=f"needs {library}")
    message = _run(served, patch)
    assert message.startswith(f"client must run on threads of the system, got those of {library} in their place; ")


@pytest.mark.parametrize(
    ("library", "patch"),
    [
        ("gevent", f"{GEVENT}monkey.patch_all(thread=False, select=False, queue=False)"),
        ("eventlet", f"{EVENTLET}eventlet.monkey_patch(thread=False, select=False)"),
    ],
)
def test_a_client_works_with_everything_else_patched(library: str, patch: str, served: str) -> None:
    pytest.importorskip(library, reason=f"needs {library}")
    assert _run(served, patch) == WORKS


@pytest.mark.parametrize("module", ["_thread", "select", "queue"])
def test_whatever_of_threads_is_patched_is_noticed(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def patched() -> None: ...

    patched.__module__ = f"gevent.{module}"
    names = {"_thread": "start_new_thread", "select": "select", "queue": "SimpleQueue"}
    monkeypatch.setattr(f"{module}.{names[module]}", patched)
    client = ferserve.Client("127.0.0.1:50051")
    with pytest.raises(ferserve.ConfigError, match=r"got those of gevent in their place; patch by `monkey\.patch_all"):
        client.models()
