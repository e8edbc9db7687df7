"""Brings results from the engine's worker threads to the event loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
from collections import deque
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")


class FutureBridge:
    """Turns the engine's futures into asyncio's, waking the loop once for however many are done by then.

    ``asyncio.wrap_future`` would wake it once for each: a write to a pipe and a pass of the loop per frame.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._done: deque[tuple[asyncio.Future[Any], concurrent.futures.Future[Any]]] = deque()
        self._scheduled = False

    def wrap(self, source: concurrent.futures.Future[T]) -> asyncio.Future[T]:
        """A future of this loop that ends as ``source`` does; cancelling it cancels ``source`` if that still waits."""
        target: asyncio.Future[T] = self._loop.create_future()
        target.add_done_callback(partial(_cancel_source, source))
        source.add_done_callback(partial(self._on_done, target))
        return target

    def _on_done(self, target: asyncio.Future[Any], source: concurrent.futures.Future[Any]) -> None:
        self._done.append((target, source))
        # Append before looking at the flag; _deliver clears it before it looks at the queue: no result is missed.
        if not self._scheduled:
            self._scheduled = True
            with contextlib.suppress(RuntimeError):  # the loop is closed, so nobody waits any more
                self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        self._scheduled = False
        while self._done:
            target, source = self._done.popleft()
            if target.done():
                continue
            if source.cancelled():
                target.cancel()
            elif (error := source.exception()) is not None:
                target.set_exception(error)
            else:
                target.set_result(source.result())


def _cancel_source(source: concurrent.futures.Future[Any], target: asyncio.Future[Any]) -> None:
    if target.cancelled():
        source.cancel()
