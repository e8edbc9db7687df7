"""The latest end of a process that was told to stop, whatever hangs in it."""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from types import FrameType

logger = logging.getLogger(__name__)

MARGIN_S = 0.8
"""Time after the grace for what it does not cover: the last frames of the workers, and the interpreter's own end."""
AT_ONCE_S = 1.0
"""Time that a second signal leaves for goodbyes, which take a fifth of it."""
_EXPLAIN_S = 0.1
"""How long before the end the log says what kept the process."""


class ExitDeadline:
    """Ends this process with exit code 1 if it does not end in time by itself after a signal.

    The clock is a thread of faulthandler, which needs no GIL: neither a decoder that never returns nor a lock that is
    never released stops it. Nothing is written on the way, since a full pipe would.
    """

    def __init__(self, first_s: float, second_s: float) -> None:
        """The longest time from the first signal, and from the second, to the end."""
        self._first_s, self._second_s = first_s, second_s
        self._signals = 0
        self._ends_at = 0.0
        self._nowhere = open(os.devnull, "w")  # noqa: SIM115 - as long as the clock may run

    def watch(self, stop_signals: Sequence[signal.Signals]) -> None:
        """Start the clock with the first of ``stop_signals``, and shorten it with the second.

        The handlers of an event loop, which it finds by its wake-up descriptor, still run if they were added before.
        """
        for number in stop_signals:
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        """No lock here: the main thread may hold it."""
        self._signals += 1
        seconds = self._first_s if self._signals == 1 else self._second_s
        self._ends_at = time.monotonic() + seconds
        faulthandler.dump_traceback_later(seconds, exit=True, file=self._nowhere)

    def explain_later(self) -> None:
        """Log the stack of each thread if the deadline comes; called after the first signal."""
        threading.Thread(target=self._explain, daemon=True).start()

    def _explain(self) -> None:
        while (left_s := self._ends_at - _EXPLAIN_S - time.monotonic()) > 0:
            time.sleep(min(left_s, _EXPLAIN_S))
        logger.error("cannot stop in time: something does not end, see the stacks; ending it all the same")
        with contextlib.suppress(OSError, ValueError):
            faulthandler.dump_traceback(sys.stderr)

    def close(self) -> None:
        """Stop the clock."""
        faulthandler.cancel_dump_traceback_later()
        self._nowhere.close()


@contextlib.contextmanager
def leaving_on_time(first_s: float, second_s: float = AT_ONCE_S) -> Iterator[ExitDeadline]:
    """A deadline for what runs inside; it is void once that has ended."""
    deadline = ExitDeadline(first_s, second_s)
    try:
        yield deadline
    finally:
        deadline.close()
