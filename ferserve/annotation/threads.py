"""Stages that run side by side: reading ahead, and drawing and encoding behind."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from ferserve.sources.threads import start_feed_thread

Item = TypeVar("Item")

_TICK_S = 0.1
"""How often a stage that waits looks whether it should stop."""


class ReadAhead(Generic[Item]):
    """Pulls from an iterator in a thread of its own, a few items ahead."""

    def __init__(self, items: Iterator[Item], depth: int, stop: threading.Event) -> None:
        """``stop`` ends the items early."""
        self._items, self._stop = items, stop
        self._queue: queue.Queue[tuple[Item] | BaseException | None] = queue.Queue(depth)
        self._closed = threading.Event()
        start_feed_thread(self._pull, self.close)

    def __iter__(self) -> Iterator[Item]:
        """The items; raises what the iterator raises."""
        while not self._stop.is_set():
            try:
                item = self._queue.get(timeout=_TICK_S)
            except queue.Empty:
                continue
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item[0]

    def close(self) -> None:
        """Pull no further."""
        self._closed.set()

    def _pull(self) -> None:
        end: BaseException | None = None
        try:
            for item in self._items:
                if not self._put((item,)):
                    return
        except BaseException as error:
            end = error
        finally:
            close = getattr(self._items, "close", None)
            if close is not None:
                close()
        self._put(end)

    def _put(self, item: tuple[Item] | BaseException | None) -> bool:
        while not (self._closed.is_set() or self._stop.is_set()):
            try:
                self._queue.put(item, timeout=_TICK_S)
            except queue.Full:
                continue
            return True
        return False


class WriteBehind(Generic[Item]):
    """Hands items to ``write`` in a thread of its own, a few behind. A context manager."""

    def __init__(self, write: Callable[[Item], None], depth: int) -> None:
        self._write = write
        self._queue: queue.Queue[tuple[Item] | None] = queue.Queue(depth)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="ferserve-writer", daemon=True)
        self._thread.start()

    def put(self, item: Item) -> None:
        """Queue an item; raises what ``write`` raised for an earlier one."""
        self._raise()
        self._queue.put((item,))

    def __enter__(self) -> WriteBehind[Item]:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._queue.put(None)
        self._thread.join()
        if error is None:
            self._raise()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            if self._error is None:
                try:
                    self._write(item[0])
                except BaseException as error:  # told to who puts the next item
                    self._error = error
