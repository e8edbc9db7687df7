"""The way of answers from the engine's worker threads to the event loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")


class LoopBridge:
    """Runs callbacks in the event loop on behalf of other threads; one wake-up serves all that were posted before it.

    ``call_soon_threadsafe`` alone would wake the loop per frame: a write to a pipe and a pass of the loop each.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._posted: deque[tuple[Callable[[Any], None], Any]] = deque()
        self._scheduled = False

    def post(self, callback: Callable[[T], None], value: T) -> None:
        """Call ``callback(value)`` in the loop; from any thread."""
        self._posted.append((callback, value))
        # Append before reading the flag; _deliver clears it before it reads the queue. So nothing is missed.
        if not self._scheduled:
            self._scheduled = True
            with contextlib.suppress(RuntimeError):  # the loop is closed, and with it every call that waited
                self._loop.call_soon_threadsafe(self._deliver)

    def wrap(self, source: concurrent.futures.Future[T]) -> asyncio.Future[T]:
        """A future of this loop with the outcome of ``source``; cancelling it cancels a ``source`` that still waits."""
        target: asyncio.Future[T] = self._loop.create_future()
        target.add_done_callback(partial(_cancel_source, source))
        source.add_done_callback(partial(self.post, partial(_settle, target)))
        return target

    def _deliver(self) -> None:
        self._scheduled = False
        while self._posted:
            callback, value = self._posted.popleft()
            callback(value)


def _settle(target: asyncio.Future[T], source: concurrent.futures.Future[T]) -> None:
    if target.done():
        return
    if source.cancelled():
        target.cancel()
    elif (error := source.exception()) is not None:
        target.set_exception(error)
    else:
        target.set_result(source.result())


def _cancel_source(source: concurrent.futures.Future[T], target: asyncio.Future[T]) -> None:
    if target.cancelled():
        source.cancel()
