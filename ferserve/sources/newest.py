"""A place for one item, between a thread that never waits and one that does."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Newest(Generic[Item]):
    """Holds the newest item and the newest notice; what nobody took is replaced. Both are numbered from 1 on."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._item: Item | None = None
        self.put_count = 0
        """How many items came."""
        self.replaced_count = 0
        """How many of them nobody could take."""
        self._notice: tuple[int, Item] | None = None
        self._taken = 0
        self._error: BaseException | None = None
        self._ended = False

    def put(self, item: Item) -> None:
        """Replace what is there."""
        with self._changed:
            self._item = item
            self.put_count += 1
            self._changed.notify_all()

    def note(self, notice: Item) -> None:
        """Put a notice, which is replaced by none but the next notice."""
        with self._changed:
            self.put(notice)
            self._notice = self.put_count, notice

    def end(self, error: BaseException | None = None) -> None:
        """There is nothing more to take but what is there; then :meth:`take` raises ``error``, or StopIteration."""
        with self._changed:
            self._ended, self._error = True, self._error or error
            self._changed.notify_all()

    def take(self, timeout_s: float) -> tuple[int, Item | None] | None:
        """The next number and its item, or None if that was replaced; None for both if nothing comes within the time.

        Raises StopIteration, or what :meth:`end` was given.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self.put_count > self._taken or self._ended, timeout_s):
                return None
            if self.put_count == self._taken:
                raise self._error or StopIteration
            self._taken += 1
            if self._notice is not None and self._notice[0] == self._taken:
                notice, self._notice = self._notice[1], None
                return self._taken, notice
            if self._taken < self.put_count:
                self.replaced_count += 1
                return self._taken, None
            item, self._item = self._item, None
            return self._taken, item
