"""What is under way of a client."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from ferserve.errors import FerserveError

T = TypeVar("T")


class TaskTracker:
    """Carries a client's calls and streams, so that closing it ends them with an error of ours.

    gRPC alone would cancel them, and whoever awaits them would believe that somebody cancelled its own task.
    """

    def __init__(self) -> None:
        self._closed = False
        self._tasks: set[asyncio.Task[Any]] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    async def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """What ``coroutine`` returns or raises; :class:`FerserveError` where the client is closed, or gets closed."""
        if self._closed:
            coroutine.close()
            raise closed_before()
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        self._idle.clear()
        try:
            await asyncio.wait((task,))
        finally:
            try:
                await finish(task)
            finally:  # though the caller is cancelled once more
                self._tasks.discard(task)
                if not self._tasks:
                    self._idle.set()
        if self._closed and task.cancelled():
            raise FerserveError(
                "client must be open, got closed with a call or a stream under way; close it after them"
            )
        return task.result()

    async def close(self) -> None:
        """End all of it and let nothing new begin."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await self._idle.wait()


def closed_before() -> FerserveError:
    """For whoever calls a client that was closed."""
    return FerserveError("client must be open, got one that was closed; make another")


async def finish(task: asyncio.Future[Any]) -> None:
    """Cancel ``task`` and wait until it is over, whatever it ends with."""
    if not task.done():
        task.cancel()
        await asyncio.wait((task,))
    if not task.cancelled():
        task.exception()  # looked at, so that asyncio does not report it as lost
