"""A log that clients cannot flood: at most so many lines of a kind in ten seconds, and the number of the others."""

from __future__ import annotations

import logging
import math
import select
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO, TypeAlias

PERIOD_S = 10.0
_MOST = {logging.INFO: 200}
_MOST_WARNINGS = 5
"""Lines of a kind in a period. Somebody who asks for ``-vv`` gets every line of that level."""

_Kind: TypeAlias = tuple[str, int, str]


@dataclass
class _Period:
    """A kind of line since its first one in ten seconds."""

    ends: float
    written: int = 0
    last: logging.LogRecord | None = None
    """The newest line that was left out."""
    left_out: int = 0


class LimitedHandler(logging.StreamHandler[TextIO]):
    """Writes log lines; of those that are left out, the last one with their number, after ten seconds or at the end."""

    def __init__(
        self,
        own: str,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
        *,
        unlimited: str = "",
    ) -> None:
        """``own`` is the logger whose messages are templates; those of others may hold what a client sent.

        Every line of the logger ``unlimited`` is written.
        """
        super().__init__(stream)
        self._unlimited = unlimited
        self._own = own
        self._clock = clock
        self._periods: dict[_Kind, _Period] = {}
        self._lost = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Write ``record``, or count it."""
        self._end_periods(self._clock())
        if record.levelno < logging.INFO or record.name == self._unlimited:
            self._write(record)
            return
        is_own = record.name.partition(".")[0] == self._own
        kind = (record.name, record.levelno, str(record.msg) if is_own else "")
        period = self._periods.setdefault(kind, _Period(self._clock() + PERIOD_S))
        if period.written < _MOST.get(record.levelno, _MOST_WARNINGS):
            period.written += 1
            self._write(record)
        else:
            period.left_out += 1
            period.last = record

    def close(self) -> None:
        """Write what is still counted."""
        self.acquire()
        try:
            self._end_periods(math.inf)
        finally:
            self.release()
        super().close()

    def _end_periods(self, now: float) -> None:
        for kind in [kind for kind, period in self._periods.items() if period.ends <= now]:
            period = self._periods.pop(kind)
            if period.last is not None:
                self._write(_with_count(period.last, period.left_out))

    def _write(self, record: logging.LogRecord) -> None:
        """Write a line if that cannot stop the server: a pipe that nobody reads from would, once it is full."""
        if not self._takes_lines():
            self._lost += 1
            return
        if self._lost:
            text, self._lost = f"{self._lost} log lines were lost: nobody read them in time", 0
            super().emit(
                logging.makeLogRecord(
                    {"name": self._own, "levelno": logging.WARNING, "levelname": "WARNING", "msg": text}
                )
            )
        super().emit(record)

    def _takes_lines(self) -> bool:
        try:
            return bool(select.select((), (self.stream,), (), 0)[1])
        except (OSError, ValueError, TypeError):  # no file at all
            return True


def _with_count(record: logging.LogRecord, count: int) -> logging.LogRecord:
    """The last of ``count`` lines, as one line that tells their number."""
    text = f"{record.getMessage()} (the last of {count} such lines; the others were left out)"
    return logging.makeLogRecord({**record.__dict__, "msg": text, "args": (), "exc_info": None, "exc_text": None})
