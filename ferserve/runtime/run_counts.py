"""How often a graph ran, with how many rows, and for how long."""

from __future__ import annotations

import threading


class RunCounts:
    """Runs by the number of their rows. Thread-safe."""

    def __init__(self) -> None:
        self._by_rows: dict[int, tuple[int, int]] = {}
        self._lock = threading.Lock()

    def add(self, rows: int, spent_ns: int) -> None:
        """Count one run."""
        with self._lock:
            count, total_ns = self._by_rows.get(rows, (0, 0))
            self._by_rows[rows] = (count + 1, total_ns + spent_ns)

    def snapshot(self) -> dict[int, tuple[int, int]]:
        """Count and nanoseconds by rows per run."""
        with self._lock:
            return dict(self._by_rows)
