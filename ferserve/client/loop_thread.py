"""An event loop in a thread of its own, for the blocking client."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from ferserve.client.connection import Connection
from ferserve.client.fork import ProcessGuard
from ferserve.client.tasks import closed_before

T = TypeVar("T")


class LoopThread:
    """Runs coroutines for callers in other threads; the thread is a daemon."""

    def __init__(self) -> None:
        self.process = ProcessGuard()
        self._loop = asyncio.new_event_loop()
        self._open = True
        self._starting = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="ferserve-client", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()

    @property
    def is_current(self) -> bool:
        """Whether the caller's thread is this one."""
        return threading.current_thread() is self._thread

    def start(self, coroutine: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Start ``coroutine``; raises :class:`FerserveError` after :meth:`stop` and in a forked child."""
        if self.process.was_left:  # another thread may have held the lock for ever
            coroutine.close()
            self.process.require_own()
        with self._starting:  # a task that starts after the loop's last one would never end
            if not self._open:
                coroutine.close()
                raise closed_before()
            return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run ``coroutine`` to its end; Ctrl-C cancels it."""
        future = self.start(coroutine)
        try:
            return future.result()
        finally:
            future.cancel()

    def stop(self, connection: Connection | None = None) -> None:
        """Close ``connection``, then the loop, and wait for both unless called in the loop's own thread.

        The garbage collector may call it there, for a client that was never closed. A forked child has neither the
        thread nor the connection, so there it does nothing.
        """
        if self.process.was_left:
            return
        with self._starting:
            self._open = False
            ended = asyncio.run_coroutine_threadsafe(_finish(connection), self._loop)
        ended.add_done_callback(lambda _: self._loop.call_soon_threadsafe(self._loop.stop))
        if not self.is_current:
            self._thread.join()
            ended.result()


async def _finish(connection: Connection | None) -> None:
    """Close ``connection``, cancel every task and wait for it, as ``asyncio.run`` does at its end."""
    if connection is not None:
        await connection.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()
    await asyncio.get_running_loop().shutdown_default_executor()
