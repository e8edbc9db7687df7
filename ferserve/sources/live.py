"""Live sources: a thread reads them and keeps the newest frame, and opens them again if they stop."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Protocol

from ferserve.backoff import ReconnectBackoff
from ferserve.errors import ConfigError, SourceLostError
from ferserve.sources.capture_clock import CaptureClock
from ferserve.sources.live_source import LiveSource
from ferserve.sources.newest import Newest
from ferserve.sources.status import OnState, SourceState, SourceStatus
from ferserve.sources.threads import start_feed_thread
from ferserve.types import DropReason, Frame, FrameFault, FrameResult, Payload

FIRST_DELAY_S = 0.2
LONGEST_DELAY_S = 1.0
REFUSED_DELAY_S = 30.0
"""Cameras lock accounts after some wrong passwords."""

STALL_S = 2.0
"""A live source without a frame for this long is said to be stalled."""

log = logging.getLogger("ferserve.sources")


class SourceRefusedError(ConfigError):
    """A source asks for another user or password."""


class Picture(Protocol):
    """A picture that was read, and is made into a payload if somebody takes it."""

    @property
    def capture_time_ns(self) -> int:
        """When it was taken, ns since 1970."""

    def payload(self) -> Payload:
        """The payload of a frame."""


class Connection(Protocol):
    """An opened live source."""

    def pictures(self, clock: CaptureClock) -> Iterator[Picture | str]:
        """Its pictures with times by ``clock``, and a message in place of each that cannot be read.

        Raises :class:`SourceLostError`, or ends, when it stops.
        """

    def close(self) -> None:
        """Let go of the camera."""


class LiveFrames:
    """The frames of a live source, numbered from 1 on, through all of its connections. An iterator for one thread.

    A frame that a newer one replaced before it was taken is a drop in its place; each loss of the source is a fault.
    Raises :class:`SourceLostError` if the source is away for longer than ``reconnect_s``.
    """

    def __init__(self, first: Connection, reopen: Callable[[], Connection], name: str, settings: LiveSource) -> None:
        self._first = first
        self._reopen = reopen
        self._reconnect_s = settings.reconnect_s
        self._backoff = ReconnectBackoff(settings.reconnect_s, FIRST_DELAY_S, LONGEST_DELAY_S)
        self._name = name
        self._newest: Newest[Picture | FrameFault] = Newest()
        self._clock = CaptureClock()
        self._closed = threading.Event()
        self._reporter = _Reporter(name, settings.on_state, self._newest)
        self._reason = ""
        self._started = False

    @property
    def status(self) -> SourceStatus:
        """State and totals."""
        return self._reporter.status_now()

    def __iter__(self) -> LiveFrames:
        return self

    def __next__(self) -> Frame | FrameResult:
        if not self._started:
            self._started = True
            start_feed_thread(self._read, self.close)
        while (taken := self._newest.take(STALL_S)) is None:
            self._reporter.tell(SourceState.STALLED, f"no frame for {STALL_S:g} s", after=SourceState.LIVE)
        number, item = taken
        if item is None:
            return FrameResult(number, dropped=DropReason.SUPERSEDED)
        if isinstance(item, FrameFault):
            return FrameResult(number, fault=item)
        return Frame(number, item.payload(), item.capture_time_ns)

    def close(self) -> None:
        """End the iteration and the thread; any thread may call it. A read at hand is waited for in the background."""
        self._closed.set()
        self._newest.end()
        if not self._started:
            self._first.close()

    def _read(self) -> None:
        """Read until the end, in a thread of its own."""
        connection: Connection | None = self._first
        try:
            while connection is not None:
                self._lost(self._read_connection(connection))
                connection = self._opened_again()
        except BaseException as error:  # goes to the one who takes the frames
            self._newest.end(error)

    def _read_connection(self, connection: Connection) -> str:
        """Why it stopped."""
        try:
            for item in connection.pictures(self._clock):
                if self._closed.is_set():
                    break
                self._newest.put(FrameFault("unreadable", item) if isinstance(item, str) else item)
                self._on_item()
            return "it ended"
        except SourceLostError as error:
            return str(error)
        finally:
            connection.close()

    def _on_item(self) -> None:
        if self._reporter.status.state is not SourceState.LIVE:
            self._reporter.tell(SourceState.LIVE)
            self._backoff.end()

    def _lost(self, reason: str) -> None:
        if self._closed.is_set():
            return
        self._reason = reason
        self._reporter.tell(SourceState.LOST, reason)
        if not self._reconnect_s:
            return
        message = f"cannot read {self._name}: {reason}; it is opened again until it comes back"
        self._newest.note(FrameFault(SourceLostError.kind, message))

    def _opened_again(self) -> Connection | None:
        """The next connection; None if closed meanwhile. Raises :class:`SourceLostError`."""
        least_s = 0.0
        while (delay_s := self._backoff.next_delay_s(least_s)) is not None:
            if self._closed.wait(delay_s):
                return None
            try:
                return self._reopen()
            except ConfigError as error:
                self._reason = str(error)
                least_s = REFUSED_DELAY_S if isinstance(error, SourceRefusedError) else 0.0
            self._reporter.tell(SourceState.LOST, self._reason)
        raise SourceLostError(
            f"live source must come back within {self._reconnect_s:g} s, got none from {self._name}: {self._reason}; "
            "check it and its connection"
        )


class _Reporter:
    """Tells each state once, in order, from whatever thread."""

    def __init__(self, name: str, on_state: OnState | None, newest: Newest[Any]) -> None:
        self._lock = threading.RLock()
        self._on_state = on_state or _log
        self._newest = newest
        self.status = SourceStatus(name)
        self._on_state(self.status)

    def status_now(self) -> SourceStatus:
        """The state with its totals."""
        return replace(self.status, frames=self._newest.put_count, dropped=self._newest.replaced_count)

    def tell(self, state: SourceState, reason: str = "", *, after: SourceState | None = None) -> None:
        """It is in ``state`` now, unless that comes only ``after`` another one that it is not in."""
        with self._lock:
            former = self.status
            if (former.state, former.reason) == (state, reason) or after not in (None, former.state):
                return
            back = state is SourceState.LIVE and former.state is SourceState.LOST
            self.status = replace(former, state=state, reason=reason, reconnects=former.reconnects + back)
            self._on_state(self.status_now())


def _log(status: SourceStatus) -> None:
    level = logging.WARNING if status.state in (SourceState.STALLED, SourceState.LOST) else logging.INFO
    log.log(level, "%s", status)
