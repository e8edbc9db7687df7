"""The answers of one stream, in the order of its frames."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from ferserve.scheduling.pending import OnOutcome, Outcome
from ferserve.server.bridge import LoopBridge


class _End:
    """Stands behind the last answer."""


class AnswerLine:
    """Frames stand in line from their arrival on; whoever writes wakes up when the first of them is answered.

    For the event loop's thread alone; only answers come from others.
    """

    def __init__(self, bridge: LoopBridge) -> None:
        self._bridge = bridge
        self._places: deque[_Place] = deque()
        self._waiter: asyncio.Future[None] | None = None

    def expect(self, send: Callable[[OnOutcome], None]) -> None:
        """A place for a frame that ``send`` sends off with whom to tell; none where ``send`` raises."""
        place = _Place(self, None)
        send(place.tell)
        self._places.append(place)  # no answer is heard before this: that takes another pass of the loop

    def put(self, answer: Outcome) -> None:
        """A place whose answer is known."""
        self._places.append(_Place(self, answer))
        self.wake()

    def end(self) -> None:
        """Nothing follows."""
        self._places.append(_Place(self, _End()))
        self.wake()

    async def next(self) -> Outcome | None:
        """The first answer in line, as soon as it is there; None after the last."""
        while not self._first_is_there():
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        answer = self._places.popleft().answer
        return None if isinstance(answer, _End) else answer

    def wake(self) -> None:
        """Look at the line again."""
        if self._waiter is not None and not self._waiter.done() and self._first_is_there():
            self._waiter.set_result(None)

    def _first_is_there(self) -> bool:
        return bool(self._places) and self._places[0].answer is not None


class _Place:
    """One frame's place; ``answer`` is None until it is told."""

    __slots__ = ("_line", "answer")

    def __init__(self, line: AnswerLine, answer: Outcome | _End | None) -> None:
        self._line = line
        self.answer = answer

    def tell(self, answer: Outcome) -> None:
        """See :data:`ferserve.scheduling.pending.OnOutcome`."""
        self._line._bridge.post(self._hear, answer)

    def _hear(self, answer: Outcome) -> None:
        self.answer = answer
        self._line.wake()
