"""A client's tasks, cancelled on close."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any, TypeVar

from ferserve.client.fork import GrpcProcess
from ferserve.errors import FerserveError

T = TypeVar("T")

CLOSE_S = 5.0
"""How long a client that is closed waits for asynchronous iterables of the user to end."""


class TaskTracker:
    """Runs a client's calls and streams, so that closing the client ends them with an error of ours.

    gRPC alone would cancel them, and a caller would take that for a cancellation of its own task.
    """

    def __init__(self, process: GrpcProcess) -> None:
        self._process = process
        self._closed = False
        self._tasks: set[asyncio.Task[Any]] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    async def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Await ``coroutine``; raises :class:`FerserveError` if the client is closed, or of another process."""
        try:
            self._process.enter()
            if self._closed:
                raise closed_before()
        except FerserveError:
            coroutine.close()
            raise
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        self._idle.clear()
        try:
            await asyncio.wait((task,))
        finally:
            try:
                await finish(task)
            finally:  # even if the caller is cancelled a second time
                self._tasks.discard(task)
                if not self._tasks:
                    self._idle.set()
        if self._closed and task.cancelled():
            raise closed_meanwhile()
        return task.result()

    async def close(self) -> None:
        """Cancel every task, wait for their ends at most ``CLOSE_S``, and refuse new ones."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._idle.wait(), CLOSE_S)


def closed_before() -> FerserveError:
    """The error of a call on a closed client."""
    return FerserveError("client must be open, got one that was closed; make another")


def closed_meanwhile() -> FerserveError:
    """The error of a call or a stream whose client was closed before it ended."""
    return FerserveError("client must be open, got closed with a call or a stream under way; close it after them")


async def finish(task: asyncio.Future[Any]) -> None:
    """Cancel ``task`` and wait for its end, however it ends."""
    if not task.done():
        task.cancel()
        await asyncio.wait((task,))
    if not task.cancelled():
        task.exception()  # retrieved, so that asyncio does not report it as lost
