"""Ctrl-C, which a terminal sends to all its processes, when only one of them may decide what it means."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from multiprocessing import resource_tracker


@contextlib.contextmanager
def blocked_interrupts() -> Iterator[None]:
    """Processes that are started inside never get SIGINT; this process gets it on leaving."""
    resource_tracker.ensure_running()  # starting it unblocks the signal, and the first spawn would start it
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
