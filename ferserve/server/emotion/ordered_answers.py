"""The answers of one stream, in the order of its frames."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial

from ferserve.scheduling.pending import OnOutcome, Outcome
from ferserve.server.bridge import LoopBridge


class _End:
    """End-of-stream sentinel."""


class _Slot:
    """The place of one answer; None until the frame is answered."""

    __slots__ = ("answer",)

    def __init__(self, answer: Outcome | _End | None = None) -> None:
        self.answer = answer


class OrderedAnswers:
    """A queue with one slot per frame, in the order of arrival; the reader waits until the first slot is filled.

    For the event loop's thread alone; only answers come from other threads.
    """

    def __init__(self, bridge: LoopBridge) -> None:
        self._bridge = bridge
        self._slots: deque[_Slot] = deque()
        self._waiter: asyncio.Future[None] | None = None

    def reserve(self, send: Callable[[OnOutcome], None]) -> None:
        """Call ``send`` with the callback for a frame's answer, and reserve its slot; not if ``send`` raises."""
        slot = _Slot()
        send(partial(self._bridge.post, partial(self._fill, slot)))
        self._slots.append(slot)  # in time: the loop fills it in a later pass

    def put(self, answer: Outcome) -> None:
        """Add a slot with a known answer."""
        self._slots.append(_Slot(answer))
        self._wake()

    def end(self) -> None:
        """Add the end of the stream."""
        self._slots.append(_Slot(_End()))
        self._wake()

    async def next(self) -> Outcome | None:
        """Wait for the first answer and remove its slot; None at the end of the stream."""
        while not self._is_ready():
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        answer = self._slots.popleft().answer
        return None if isinstance(answer, _End) else answer

    def _fill(self, slot: _Slot, answer: Outcome) -> None:
        slot.answer = answer
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done() and self._is_ready():
            self._waiter.set_result(None)

    def _is_ready(self) -> bool:
        return bool(self._slots) and self._slots[0].answer is not None
