"""The bound on what waits for a worker."""

from __future__ import annotations

import threading


class Backlog:
    """Counts what waits for a worker, over all streams and calls, and refuses what is too many or too large."""

    def __init__(self, max_waiting: int, max_bytes: int) -> None:
        self._max_waiting, self._max_bytes = max_waiting, max_bytes
        self._waiting = self._bytes = 0
        self._lock = threading.Lock()

    def enter(self, size_bytes: int) -> bool:
        """Count one more; False if it must be refused. The first always finds room, whatever its size."""
        with self._lock:
            full = self._waiting >= self._max_waiting or self._bytes + size_bytes > self._max_bytes
            if full and self._waiting:
                return False
            self._waiting += 1
            self._bytes += size_bytes
            return True

    def leave(self, size_bytes: int) -> None:
        """Count one less, of the size that it entered with."""
        with self._lock:
            self._waiting -= 1
            self._bytes -= size_bytes

    def __str__(self) -> str:
        return f"{self._max_waiting} and hold at most {self._max_bytes} bytes"
