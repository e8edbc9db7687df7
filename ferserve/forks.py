"""Forked processes. A fork copies a process's memory, but of its threads only the one that forks."""

from __future__ import annotations

import os

from ferserve.errors import FerserveError


class ProcessGuard:
    """Remembers in which process the threads of ``what`` were started."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._pid = os.getpid()

    @property
    def was_left(self) -> bool:
        """True in a child that was forked later: the threads do not run here, and locks may be held for ever."""
        return os.getpid() != self._pid

    def require_own(self) -> None:
        """Raises :class:`FerserveError` if :attr:`was_left`."""
        if self.was_left:
            raise FerserveError(
                f"{self._what} must be used in the process that made it, {self._pid}, got process {os.getpid()}, which "
                f"was forked later and has none of its threads; make the {self._what} after the fork, or start "
                "processes by multiprocessing's 'spawn' or 'forkserver'"
            )
