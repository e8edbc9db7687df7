"""Memory that a burst leaves behind."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from ferserve.server.memory import MemoryTrimmer, resident_bytes

MB = 10**6


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_freed_memory_is_given_back_once() -> None:
    """Blocks too small for pages of their own, each second of which stays."""
    trimmer = MemoryTrimmer()
    assert not trimmer.is_due()
    blocks = [b"x" * (100_000 + i) for i in range(1000)]
    grown = resident_bytes()
    assert trimmer.is_due()
    kept = blocks[::2]
    del blocks
    trimmer.trim()
    assert resident_bytes() < grown - 40 * MB
    assert len(kept) == 500
    assert not trimmer.is_due(), "not again at once"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_what_many_threads_have_freed_is_given_back() -> None:
    """In a process of its own, whose heaps are set up before its threads start."""
    done = subprocess.run([sys.executable, "-c", _THREADS], capture_output=True, text=True, check=True)
    grown_mb, left_mb = map(float, done.stdout.split())
    assert grown_mb > 30
    assert left_mb < 15


_THREADS = """
import threading
from ferserve.server.memory import MemoryTrimmer, resident_bytes, set_up_heaps
set_up_heaps()
before, all_there, over = resident_bytes(), threading.Barrier(13), threading.Event()

def work():
    blocks = [b"x" * (100_000 + i) for i in range(40)]
    all_there.wait()
    all_there.wait()
    del blocks
    all_there.wait()
    over.wait()

threads = [threading.Thread(target=work) for _ in range(12)]
[thread.start() for thread in threads]
all_there.wait()
grown = resident_bytes() - before
all_there.wait()
all_there.wait()
MemoryTrimmer().trim()
print(grown / 1e6, (resident_bytes() - before) / 1e6)
over.set()
"""
