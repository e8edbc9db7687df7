"""Memory that the allocator keeps after a burst is given back to the system."""

from __future__ import annotations

import ctypes
import gc
import resource
import time
from pathlib import Path

_CHANGE_BYTES = 4 * 1024 * 1024
_PAUSE_S = 5.0
_STATM = Path("/proc/self/statm")
_MMAP_THRESHOLD_BYTES = 4 * 1024 * 1024
"""Larger blocks are the system's own; 1080p BGR is the first camera frame above."""
_TRIM_THRESHOLD_BYTES = 2 * _MMAP_THRESHOLD_BYTES
_MAX_HEAPS = 2
"""By itself glibc makes eight per processor, each of which keeps what lies at its end."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # of glibc's malloc.h


def set_up_heaps() -> None:
    """Tell glibc, if it is the one, what to keep; before other threads start, for each gets its heap then.

    After the first large block that is freed, glibc keeps blocks of up to 32 MiB at the end of a heap, and it never
    trims the end of any heap but the first. So the thresholds are set, in the proportion that it would choose, and
    heaps are few.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _MMAP_THRESHOLD_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _TRIM_THRESHOLD_BYTES)
        mallopt(_M_ARENA_MAX, _MAX_HEAPS)


class MemoryTrimmer:
    """Trims the heaps while the process holds more than it did at its smallest, at most every five seconds.

    What is freed between pages in use changes no figure that could be watched, so a process that grew is trimmed again
    and again.
    """

    def __init__(self) -> None:
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        self._settled = self._least = resident_bytes()
        self._due = 0.0

    def is_due(self) -> bool:
        """Whether there may be something to give back."""
        if self._trim is None or time.monotonic() < self._due:
            return False
        now = resident_bytes()
        return max(abs(now - self._settled), now - self._least) > _CHANGE_BYTES

    def trim(self) -> None:
        """Give free pages back; takes milliseconds, in which other threads wait for memory.

        Errors and tasks of calls that ended refer to each other; a server that rests now would not collect them.
        """
        self._due = time.monotonic() + _PAUSE_S
        gc.collect()
        if self._trim is not None:
            self._trim(0)
        self._settled = resident_bytes()
        self._least = min(self._least, self._settled)


def resident_bytes() -> int:
    """Resident memory of this process."""
    return int(_STATM.read_text().split()[1]) * resource.getpagesize()
