"""Clients and forked processes, each tried in a program of its own: a fork of the test runner would prove little."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import faulthandler, multiprocessing, os, sys, time
import ferserve

TARGET, CASE, METHOD = sys.argv[1:]


def ask(client):
    try:
        print("child", len(client.models()) > 0, flush=True)
    except ferserve.FerserveError as error:
        print("child", error, flush=True)


def ask_of_its_own(target):
    with ferserve.Client(target, timeout_s=5) as client:
        ask(client)


def leave(_):
    pass


def run(function, argument):
    child = multiprocessing.get_context(METHOD).Process(target=function, args=(argument,))
    child.start()
    child.join(30)
    print("exit", child.exitcode)
    child.kill()


def fork(work):
    pid = os.fork()
    if pid == 0:
        faulthandler.dump_traceback_later(20)  # a child that hangs says where
        work()
        sys.exit(0)
    for _ in range(300):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            print("exit", status)
            return
        time.sleep(0.1)
    os.kill(pid, 9)
    print("exit never")


if __name__ == "__main__":
    client = ferserve.Client(TARGET, timeout_s=5)
    if CASE != "unused":
        client.models()
    if CASE in ("of the parent", "unused"):
        run(ask, client)
    elif CASE == "of its own":
        run(ask_of_its_own, TARGET)
    elif CASE == "after close":
        client.close()
        run(ask_of_its_own, TARGET)
        client = ferserve.Client(TARGET)
    elif CASE == "untouched":
        fork(lambda: None)
    elif CASE == "closed in the child":
        fork(client.close)
    elif CASE == "stream":
        results = client.stream(b"x" for _ in range(3))
        next(results)
        fork(lambda: ask(client) or results.close())
        print("left", len(list(results)))
    print("parent", len(client.models()) > 0, flush=True)
"""


def _run(served: str, tmp_path: Path, case: str, method: str = "fork") -> list[str]:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    command = [sys.executable, "-W", "ignore", str(program), served, case, method]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, done.stderr
    assert "exit never" not in done.stdout, done.stderr
    return done.stdout.splitlines()


FORKED = "child client must be used in a process that was forked before its parent used a client"


@pytest.mark.parametrize("case", ["of the parent", "of its own", "after close"])
def test_a_forked_child_is_told_why_its_client_cannot_work(served: str, tmp_path: Path, case: str) -> None:
    child, ended, parent = _run(served, tmp_path, case)
    assert child.startswith(FORKED)
    assert "'spawn' or 'forkserver'" in child
    assert (ended, parent) == ("exit 0", "parent True")


def test_a_client_that_made_no_call_before_the_fork_works_on_both_sides(served: str, tmp_path: Path) -> None:
    assert _run(served, tmp_path, "unused") == ["child True", "exit 0", "parent True"]


EARLY = """
import grpc, os, sys, warnings
import ferserve

with ferserve.Client(sys.argv[1]) as client:
    for used in (False, True):
        if used:
            client.models()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            pid = os.fork()
            if pid == 0:
                os._exit(0)
        os.waitpid(pid, 0)
        print([str(warning.message)[:34] for warning in caught if warning.category is RuntimeWarning])
"""


@pytest.mark.parametrize(
    ("setting", "told"), [({}, "['the child of this fork may crash: ']"), ({"GRPC_ENABLE_FORK_SUPPORT": "0"}, "[]")]
)
def test_forks_that_grpc_handles_itself_are_warned_of(served: str, setting: dict[str, str], told: str) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "GRPC_ENABLE_FORK_SUPPORT"} | setting
    command = [sys.executable, "-c", EARLY, served]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=50, check=True)
    assert done.stdout.splitlines() == ["[]", told]


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_other_start_methods_just_work(served: str, tmp_path: Path, method: str) -> None:
    assert _run(served, tmp_path, "of its own", method) == ["child True", "exit 0", "parent True"]


@pytest.mark.parametrize("case", ["untouched", "closed in the child"])
def test_a_forked_child_comes_to_its_end_and_the_parent_goes_on(served: str, tmp_path: Path, case: str) -> None:
    assert _run(served, tmp_path, case) == ["exit 0", "parent True"]


def test_a_stream_that_was_open_at_the_fork_goes_on_in_the_parent_alone(served: str, tmp_path: Path) -> None:
    child, ended, left, parent = _run(served, tmp_path, "stream")
    assert child.startswith(FORKED)
    assert (ended, left, parent) == ("exit 0", "left 2", "parent True")
