"""Memory that the allocator keeps after a burst is given back to the system."""

from __future__ import annotations

import ctypes
import resource
import time
from pathlib import Path

_GROWTH_BYTES = 4 * 1024 * 1024
_PAUSE_S = 5.0
_STATM = Path("/proc/self/statm")


class MemoryTrimmer:
    """Trims the heap once the process has grown, at most every five seconds: glibc frees only what lies at its end."""

    def __init__(self) -> None:
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        self._floor = resident_bytes()
        self._due = 0.0

    def is_due(self) -> bool:
        """Whether there may be something to give back."""
        self._floor = min(self._floor, resident := resident_bytes())
        return bool(self._trim) and resident > self._floor + _GROWTH_BYTES and time.monotonic() >= self._due

    def trim(self) -> None:
        """Give free pages back; takes milliseconds, in which other threads wait for memory."""
        self._due = time.monotonic() + _PAUSE_S
        if self._trim is not None:
            self._trim(0)
        self._floor = resident_bytes()


def resident_bytes() -> int:
    """Resident memory of this process."""
    return int(_STATM.read_text().split()[1]) * resource.getpagesize()
