"""The calls that a service is answering, and how they end when the server stops."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any


class ActiveCalls:
    """Tracks the calls of one service until they end. For the event loop's thread alone."""

    def __init__(self) -> None:
        self._calls: dict[asyncio.Task[Any], Callable[[], None] | None] = {}
        self._draining = False

    def __len__(self) -> int:
        return len(self._calls)

    def track(self, on_drain: Callable[[], None] | None = None) -> None:
        """Track the call that runs in the current task.

        ``on_drain`` asks a call that would not end by itself, such as a stream, to end soon. It is called when
        :meth:`drain` is, or at once if that was before.
        """
        task = asyncio.current_task()
        assert task is not None, "handlers run in tasks"
        self._calls[task] = on_drain
        task.add_done_callback(self._calls.pop)
        if self._draining and on_drain is not None:
            on_drain()

    async def drain(self, grace_s: float) -> None:
        """Ask every call to end, and wait until all have, ``grace_s`` at most; 0 does not wait."""
        self._draining = True
        for on_drain in list(self._calls.values()):
            if on_drain is not None:
                on_drain()
        deadline = time.monotonic() + grace_s
        while self._calls and (left_s := deadline - time.monotonic()) > 0:
            await asyncio.wait(self._calls, timeout=left_s)
