"""Limits on what one client may have open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from ferserve.errors import OverloadedError


class ClientLimit:
    """Counts what each client has open. For the event loop's thread alone."""

    def __init__(self, what: str, most: int, setting: str, way_out: str) -> None:
        """``what`` is counted, ``most`` of it allowed by ``setting``; the words are for the error."""
        self._what, self._most, self._setting, self._way_out = what, most, setting, way_out
        self._open: Counter[str] = Counter()

    def open_by(self, client: str) -> int:
        """How many ``client`` has open."""
        return self._open[client]

    @contextmanager
    def hold(self, client: str) -> Iterator[None]:
        """Count one of ``client`` while inside; raises :class:`OverloadedError` if the client has too many."""
        if self._open[client] >= self._most:
            raise OverloadedError(
                f"{self._what} per client must be at most {self._most} ({self._setting}), "
                f"got one more from {client}; {self._way_out}",
                self._setting,
            )
        self._open[client] += 1
        try:
            yield
        finally:
            self._open[client] -= 1
            if not self._open[client]:
                del self._open[client]
