"""Messages on their way to somebody who may be away."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

_MOST_IN_FLIGHT = 20
_RETRY_S = 0.2


class Outbox:
    """A bounded queue, a thread that sends it, and a count of what was lost. If it is full, the oldest message goes.

    Only the thread calls ``publish``: callbacks of a library may hold locks that ``publish`` waits for.
    """

    def __init__(self, most: int, publish: Callable[[str], int | None]) -> None:
        """``publish`` gives the number by which a message is confirmed, or None if it cannot be sent now."""
        self._publish = publish
        self._most = most
        self._waiting: deque[str] = deque()
        self._confirmed: deque[int | None] = deque()
        self._in_flight: set[int] = set()
        self._lock = threading.Lock()
        self._wake, self._empty = threading.Event(), threading.Event()
        self._ended = False
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name="ferserve-outbox", daemon=True)
        self._thread.start()

    def put(self, message: str) -> None:
        """Queue ``message``."""
        with self._lock:
            self._empty.clear()
            self._waiting.append(message)
            if len(self._waiting) > self._most:
                self._waiting.popleft()
                self.dropped += 1
        self._wake.set()

    def confirm(self, number: int) -> None:
        """Message ``number`` has arrived; any thread may call it, and it never waits."""
        self._confirmed.append(number)
        self._wake.set()

    def forget_sent(self) -> None:
        """The connection broke, and nobody knows whether what was under way has arrived: it counts as dropped."""
        self._confirmed.append(None)
        self._wake.set()

    def close(self, seconds: float) -> int:
        """Send on for at most ``seconds``; returns how many messages were lost in all."""
        self._empty.wait(seconds if self._waiting or self._in_flight else 0)
        self._ended = True
        self._wake.set()
        self._thread.join(seconds)
        return self.dropped + len(self._waiting) + len(self._in_flight)

    def _run(self) -> None:
        while not self._ended:
            self._wake.wait(_RETRY_S if self._waiting else None)
            self._wake.clear()
            self._note_confirmed()
            while len(self._in_flight) < _MOST_IN_FLIGHT and self._send_one():
                self._note_confirmed()
            with self._lock:
                if not self._waiting and not self._in_flight:
                    self._empty.set()

    def _note_confirmed(self) -> None:
        while self._confirmed:
            number = self._confirmed.popleft()
            if number is None:
                self.dropped += len(self._in_flight)
                self._in_flight.clear()
            else:
                self._in_flight.discard(number)

    def _send_one(self) -> bool:
        with self._lock:
            message = self._waiting.popleft() if self._waiting else None
        if message is None:
            return False
        number = self._publish(message)
        if number is not None:
            self._in_flight.add(number)
            return True
        with self._lock:
            if len(self._waiting) < self._most:
                self._waiting.appendleft(message)
            else:
                self.dropped += 1
        return False
