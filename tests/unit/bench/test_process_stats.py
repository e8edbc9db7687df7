"""CPU and memory as psutil, which reads them on its own, sees them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from ferserve.bench.process_stats import listeners, process_stats, tree

_PARENT = """
import subprocess, sys, time
wait = "import sys; print(flush=True); sys.stdin.read()"
child = subprocess.Popen([sys.executable, "-c", wait], stdout=subprocess.PIPE)
child.stdout.readline()
while time.process_time() < 0.3:
    pass
print("up", flush=True)
child.wait()
"""


@pytest.fixture
def family() -> Iterator[psutil.Process]:
    """A process that has used some CPU, with a child; both wait for the end of their input."""
    with subprocess.Popen([sys.executable, "-c", _PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        yield psutil.Process(process.pid)
        process.communicate(b"")


def test_the_tree_is_the_process_and_its_descendants(family: psutil.Process) -> None:
    assert tree(family.pid) == [family.pid, *(child.pid for child in family.children(recursive=True))]


def test_cpu_and_memory_are_those_of_the_whole_tree(family: psutil.Process) -> None:
    stats = process_stats(family.pid)
    members = [family, *family.children()]
    assert stats.cpu_s == pytest.approx(sum(m.cpu_times().user + m.cpu_times().system for m in members), abs=0.1)
    assert stats.rss_mb == pytest.approx(sum(m.memory_info().rss for m in members) / 1e6, rel=0.1)


def test_a_process_that_ended_used_nothing() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert process_stats(process.pid).rss_mb == 0


def test_listeners_are_found_by_port_and_by_path(tmp_path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        path = str(tmp_path / "s")
        unix.bind(path)
        unix.listen()
        assert listeners(f"127.0.0.1:{tcp.getsockname()[1]}") == [os.getpid()]
        assert listeners(f"unix:{path}") == [os.getpid()]
    assert listeners(f"unix:{path}") == []
