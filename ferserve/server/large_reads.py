"""How many large messages of a client gRPC collects at a time: while the event loop copies one, more would pile up."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterator

_PATIENCE_S = 1.0
"""How long a call that waits for its message keeps others from it: a camera that rests must not stop them."""


class LargeReads:
    """The calls of one client that wait for a large message. For the event loop's thread alone."""

    def __init__(self) -> None:
        self._held = 0
        self._queue: deque[asyncio.Future[None]] = deque()

    def __bool__(self) -> bool:
        return bool(self._held or self._queue)

    async def turn(self, most: int) -> contextlib.AbstractContextManager[None]:
        """Wait until fewer than ``most`` calls have their turn; it ends with the returned context, or in a second."""
        while self._held >= most:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._queue.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled():
                    self._wake()
                raise
        self._held += 1
        return self._hold()

    @contextlib.contextmanager
    def _hold(self) -> Iterator[None]:
        ended = False

        def end() -> None:
            nonlocal ended
            if not ended:
                ended = True
                self._held -= 1
                self._wake()

        timer = asyncio.get_running_loop().call_later(_PATIENCE_S, end)
        try:
            yield
        finally:
            timer.cancel()
            end()

    def _wake(self) -> None:
        while self._queue:
            waiter = self._queue.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
