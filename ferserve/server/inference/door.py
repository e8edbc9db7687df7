"""What the models of this protocol need of the server, and what they know of a call."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeVar

from ferserve.engine import Engine
from ferserve.errors import FrameDeadlineError
from ferserve.scheduling.caller import Caller
from ferserve.server.bridge import LoopBridge

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Door:
    """The engine, and the way of its answers to the event loop."""

    engine: Engine
    bridge: LoopBridge

    async def outcome(self, future: Future[T], timeout_s: float | None) -> T:
        """The result of ``future``; raises what it raises, and :class:`FrameDeadlineError` after ``timeout_s``."""
        if timeout_s is None:
            return await self.bridge.wrap(future)
        try:
            return await asyncio.wait_for(self.bridge.wrap(future), timeout_s)
        except asyncio.TimeoutError:
            raise FrameDeadlineError(
                f"the answer must come within {timeout_s * 1e6:.0f} us, got none; give the request a longer timeout"
            ) from None


@dataclass(frozen=True, slots=True)
class CallScope:
    """Whose request it is."""

    caller: Caller
    connection: str
    """gRPC's name of the peer; a sequence of single calls belongs to the connection that started it."""
    sequences: Hashable
    """Sequences with the same number in different scopes are different ones: a client's single calls are a scope, and
    so is every stream."""
