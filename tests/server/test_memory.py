"""Memory that a burst leaves behind."""

from __future__ import annotations

import platform

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
