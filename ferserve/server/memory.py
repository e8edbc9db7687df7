"""Memory that the allocator keeps after a burst is given back to the system."""

from __future__ import annotations

import ctypes
import resource
import time
from pathlib import Path

_CHANGE_BYTES = 4 * 1024 * 1024
_PAUSE_S = 5.0
_STATM = Path("/proc/self/statm")
_MMAP_THRESHOLD_BYTES = 4 * 1024 * 1024
"""Larger blocks are the system's own; 1080p BGR is the first camera frame above."""
_TRIM_THRESHOLD_BYTES = 2 * _MMAP_THRESHOLD_BYTES
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h


class MemoryTrimmer:
    """Trims the heap once the process has grown or shrunk, at most every five seconds.

    By itself glibc gives back only what lies at the end of its heaps, and after the first large block that is freed it
    puts blocks of up to 32 MiB there too. So its thresholds are set, in the proportion that it would choose.
    """

    def __init__(self) -> None:
        libc = ctypes.CDLL(None)
        self._trim = getattr(libc, "malloc_trim", None)
        if self._trim is not None:
            libc.mallopt(_M_MMAP_THRESHOLD, _MMAP_THRESHOLD_BYTES)
            libc.mallopt(_M_TRIM_THRESHOLD, _TRIM_THRESHOLD_BYTES)
        self._settled = resident_bytes()
        self._due = 0.0

    def is_due(self) -> bool:
        """Whether there may be something to give back."""
        if self._trim is None or time.monotonic() < self._due:
            return False
        return abs(resident_bytes() - self._settled) > _CHANGE_BYTES

    def trim(self) -> None:
        """Give free pages back; takes milliseconds, in which other threads wait for memory."""
        self._due = time.monotonic() + _PAUSE_S
        if self._trim is not None:
            self._trim(0)
        self._settled = resident_bytes()


def resident_bytes() -> int:
    """Resident memory of this process."""
    return int(_STATM.read_text().split()[1]) * resource.getpagesize()
