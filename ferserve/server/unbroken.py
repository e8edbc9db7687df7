"""Reads and writes of gRPC that go on if their caller is cancelled.

gRPC frees what an operation holds, up to a whole message, in the coroutine that waits for it. If that is cancelled, the
message stays for good: clients that reset their calls, or are refused, would fill the memory.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from typing import Any, Generic, TypeAlias, TypeVar

T = TypeVar("T")
Turn: TypeAlias = Callable[[], asyncio.Future[None] | None]
"""Asked before each step; what it returns is waited for."""


def at_once() -> None:
    """The turn of an operation whose steps are short."""


class Unbroken(Generic[T]):
    """``await Unbroken(operation)`` is ``await operation``, but a cancelled caller leaves the operation to its end.

    A task and :func:`asyncio.shield` would do the same, and cost each frame three passes of the loop.
    """

    __slots__ = ("_operation", "_turn")

    def __init__(self, operation: Coroutine[Any, Any, T], turn: Turn = at_once) -> None:
        """``turn`` may put off each step but the first."""
        self._operation = operation
        self._turn = turn

    def __await__(self) -> Generator[Any, None, T]:
        loop = asyncio.get_running_loop()
        while True:
            try:
                future = self._operation.send(None)
            except StopIteration as end:
                result: T = end.value
                return result
            future._asyncio_future_blocking = False  # as a task says that it has seen what it was handed
            waiter = loop.create_future()
            future.add_done_callback(partial(_wake, waiter))
            try:
                yield from waiter
                if (turn := self._turn()) is not None:
                    yield from turn
            except asyncio.CancelledError:
                future.add_done_callback(partial(_go_on, self._operation, self._turn))
                raise


def _wake(waiter: asyncio.Future[None], _: asyncio.Future[Any]) -> None:
    if not waiter.done():
        waiter.set_result(None)


def _go_on(operation: Coroutine[Any, Any, Any], turn: Turn, _: asyncio.Future[Any]) -> None:
    """Take an operation that nobody waits for a step further, in its turn."""
    if (waiter := turn()) is None:
        _step(operation, turn)
    else:
        waiter.add_done_callback(partial(_step, operation, turn))


def _step(operation: Coroutine[Any, Any, Any], turn: Turn, _: asyncio.Future[Any] | None = None) -> None:
    with contextlib.suppress(StopIteration, Exception):
        future = operation.send(None)
        future._asyncio_future_blocking = False
        future.add_done_callback(partial(_go_on, operation, turn))
