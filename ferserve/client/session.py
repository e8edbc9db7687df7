"""What a blocking client has in one process: an event loop in a thread, and a connection in that loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import math
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from ferserve.client.connection import Connection, ConnectionSettings
from ferserve.client.tasks import CLOSE_S, closed_before
from ferserve.errors import FrameDeadlineError

T = TypeVar("T")

log = logging.getLogger("ferserve.client")

_GRACE_S = 1.0
"""How much later than its deadline a call is given up if the event loop does not end it."""


class Session:
    """Runs coroutines for callers in other threads. The thread is a daemon; the first call starts it."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self.connection = Connection(settings)
        self.process = self.connection.process
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._open = True
        self._starting = threading.Lock()

    @property
    def is_current(self) -> bool:
        """Whether the caller's thread is that of the event loop."""
        return threading.current_thread() is self._thread

    def start(self, coroutine: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Start ``coroutine``; raises :class:`FerserveError` after :meth:`stop` and in a forked child."""
        try:
            self.process.enter()  # first: in a child, another thread may have held the lock for ever
            with self._starting:  # a task that starts after the loop's last one would never end
                if not self._open:
                    raise closed_before()
                return asyncio.run_coroutine_threadsafe(coroutine, self._running_loop())
        except BaseException:
            coroutine.close()
            raise

    def run(self, coroutine: Coroutine[Any, Any, T], timeout_s: float = math.inf) -> T:
        """Run ``coroutine`` to its end, which comes within ``timeout_s``; Ctrl-C cancels it.

        Raises :class:`FrameDeadlineError` if it does not end in time, because something else blocks the event loop.
        """
        future = self.start(coroutine)
        try:
            return future.result(None if timeout_s == math.inf else timeout_s + _GRACE_S)
        except concurrent.futures.TimeoutError:
            if future.done():
                raise
            raise FrameDeadlineError(
                f"the answer must come within {timeout_s:g} s, got none; an iterable of this client's streams may "
                "block its event loop"
            ) from None
        finally:
            future.cancel()

    def stop(self) -> None:
        """Close the connection, then the loop, and wait for both unless called in the loop's own thread.

        The garbage collector may call it there, for a client that was never closed. A forked child has neither the
        thread nor the connection, so there it does nothing.
        """
        if self.process.was_left:
            return
        with self._starting:
            self._open = False
            loop, thread = self._loop, self._thread
            if loop is None or thread is None:
                return
            ended = asyncio.run_coroutine_threadsafe(_finish(self.connection), loop)
        ended.add_done_callback(lambda _: loop.call_soon_threadsafe(loop.stop))
        if self.is_current:
            return
        thread.join(2 * CLOSE_S)
        if thread.is_alive():
            log.warning("the client is closed, but an iterable that it streamed still blocks its event loop")
        else:
            ended.result(0)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=_work, args=(self._loop,), name="ferserve-client", daemon=True)
            self._thread.start()
        return self._loop


def _work(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()


async def _finish(connection: Connection) -> None:
    """Close ``connection``, cancel every task and wait for it, as ``asyncio.run`` does at its end."""
    await connection.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others, timeout=CLOSE_S)
    await asyncio.get_running_loop().shutdown_asyncgens()
    await asyncio.get_running_loop().shutdown_default_executor()
