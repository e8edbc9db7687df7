"""Ctrl-C, which a terminal sends to every process in it, where one process alone decides what it means."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from multiprocessing import resource_tracker


@contextlib.contextmanager
def blocked_interrupts() -> Iterator[None]:
    """Processes that are started meanwhile never hear of SIGINT; this one hears of it afterwards."""
    resource_tracker.ensure_running()  # it unblocks the signal when it is started, which else the first spawn would do
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
