"""Memory that the allocator keeps after a burst is given back to the system."""

from __future__ import annotations

import ctypes
import resource
import time
from pathlib import Path

_CHANGE_BYTES = 4 * 1024 * 1024
_PAUSE_S = 5.0
_STATM = Path("/proc/self/statm")


class MemoryTrimmer:
    """Trims the heap once the process has grown or shrunk, at most every five seconds.

    By itself glibc gives back only what lies at the end of its heaps.
    """

    def __init__(self) -> None:
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
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
