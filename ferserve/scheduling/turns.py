"""Whose turn it is: clients share the machine, then the streams of each client share its part."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from ferserve.scheduling.caller import Caller
from ferserve.scheduling.fair_line import FairLine, Member

Work = TypeVar("Work")

_UNKNOWN_S = 0.1
"""Charged in advance for a flow's first turn: else new streams of one client would go before all that others send."""
_FORGETTING = 0.8
"""What the longest turn counts for after each later one."""


class Holder(Member):
    """A member whose waiting work :class:`ferserve.scheduling.backlog.Backlog` counts."""

    __slots__ = ("held", "held_bytes")

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__(weight)
        self.held = self.held_bytes = 0


class Flow(Holder, Generic[Work]):
    """Work of one client that takes turns with the client's other flows: a stream, or all of its single calls."""

    __slots__ = ("__weakref__", "client", "estimate", "longest", "price", "waiting")

    def __init__(self, client: Client[Work], weight: float, price: float) -> None:
        """``price``: what a second of its work costs the client."""
        super().__init__(weight)
        self.client, self.price = client, price
        self.waiting: deque[Work] = deque()
        self.estimate = _UNKNOWN_S
        """Seconds that its last turn took, on a clock."""
        self.longest = 0.0
        """Seconds of a processor that its longest turn took lately; 0 before the first."""


class Client(Holder, Generic[Work]):
    """The flows of one client. It is forgotten with the last of them: the clock of a line leaves nothing to gain."""

    __slots__ = ("__weakref__", "line", "single_calls")

    def __init__(self) -> None:
        super().__init__()
        self.line: FairLine[Flow[Work]] = FairLine()
        self.single_calls: weakref.ref[Flow[Work]] | None = None


@dataclass(slots=True)
class Turn(Generic[Work]):
    """One piece of work that a thread has taken up."""

    work: Work
    flow: Flow[Work]
    estimate: float
    """Seconds that were charged in advance."""


class Turns(Generic[Work]):
    """Work in line. Not thread-safe: the caller holds a lock."""

    def __init__(self) -> None:
        self._clients: weakref.WeakValueDictionary[Caller, Client[Work]] = weakref.WeakValueDictionary()
        self._line: FairLine[Client[Work]] = FairLine()
        self._waiting = 0

    def __len__(self) -> int:
        """How many pieces of work wait."""
        return self._waiting

    def stream(self, caller: Caller, weight: float) -> Flow[Work]:
        """The flow of a new stream, with ``weight`` among those of its client.

        A low weight counts among clients too, because who asks for less may have less; a high one only if the caller
        is trusted.
        """
        return Flow(self._client(caller), weight, 1 / (weight if caller.trusted else min(weight, 1.0)))

    def single_calls(self, caller: Caller) -> Flow[Work]:
        """The flow of all single calls of a client; together they count as one stream of normal priority."""
        client = self._client(caller)
        flow = client.single_calls() if client.single_calls is not None else None
        if flow is None:
            flow = Flow(client, 1.0, 1.0)
            client.single_calls = weakref.ref(flow)
        return flow

    def _client(self, caller: Caller) -> Client[Work]:
        client = self._clients.get(caller)
        if client is None:
            client = self._clients[caller] = Client()
        return client

    def put(self, flow: Flow[Work], work: Work) -> None:
        """Let ``work`` wait for a turn of ``flow``."""
        self._waiting += 1
        flow.waiting.append(work)
        if not flow.waits:
            flow.client.line.enter(flow)
        if not flow.client.waits:
            self._line.enter(flow.client)

    def next(self, passed_over: Callable[[Flow[Work]], bool] | None = None) -> Flow[Work] | None:
        """Whose turn it is, of those that are not ``passed_over``; None if there is nobody."""
        if not self._waiting:
            return None
        first = self._line.peek().line.peek()
        if passed_over is None or not passed_over(first):
            return first
        return next((f for c in self._line.in_order() for f in c.line.in_order() if not passed_over(f)), None)

    def take(self, flow: Flow[Work] | None = None) -> Turn[Work]:
        """The next piece of work, of ``flow`` if it is given; some must wait. Call :meth:`end` when it is done."""
        client = self._line.take(flow.client if flow else None)
        flow = client.line.take(flow)
        self._waiting -= 1
        turn = Turn(flow.waiting.popleft(), flow, flow.estimate)
        client.line.charge(flow, turn.estimate)
        self._line.charge(client, turn.estimate * flow.price)
        if flow.waiting:
            client.line.enter(flow)
        if client.line:
            self._line.enter(client)
        return turn

    def end(self, turn: Turn[Work], seconds: float, worked_s: float = 0.0) -> None:
        """Charge the time that a turn took on a clock, and note that of a processor."""
        flow = turn.flow
        flow.estimate = seconds
        flow.longest = max(worked_s, _FORGETTING * flow.longest)
        flow.client.line.end(flow, seconds, turn.estimate)
        self._line.end(flow.client, seconds * flow.price, turn.estimate * flow.price)
