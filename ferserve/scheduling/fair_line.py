"""A line whose members get turns in proportion to their weights, counted by what the turns cost.

Start-time fair queueing (Goyal, Guo & Vin 1997, IEEE/ACM Transactions on Networking 5(5)). A member's tag is the
service that it has had, per weight. The least tag is next, and a turn that costs c moves it by c / weight. Let p be the
tag that was taken last, and W the weight of all who wait or have a turn.

* A member that rested comes back at its tag or at p, the later of the two: nobody saves up turns, nobody is forgiven.
* A new member enters at the clock. It moves by c / W with each turn, as fast as the tags do on average, and stays
  between p and the largest tag. If newcomers entered at p, p would stand still as long as some come, and so would all
  others: that is how single calls once starved streams. Of equal tags, those who had a turn before go first, then those
  who came first: when sixty streams are opened at once, a camera whose turn it is need not wait for all of them.

Each member gets its share within one turn of the largest cost per weight, L:

1. Every waiting tag lies in [p, p + L], and p never falls. The least tag is taken, and all enter at p or later, so no
   tag is below. A turn moves a tag of at most p by at most L, and the clock is at most the largest tag.
2. So two members that want turns all the time, from equal tags on, are never further apart than L.
3. Nobody starves: a waiting tag is at most p + L. When turns for W x L are done, the clock has reached it, and
   newcomers stand behind it, under however many names they come. The others pass it as soon as each has had its L.

Several threads may give one member several turns at a time. Each is charged an estimate when it begins, and corrected
when it ends: for such a member, L grows by the errors of the turns under way, at most one per thread. A member that is
passed over keeps its tag, and is next once it may be.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterator
from typing import Any, Generic, TypeVar


class Member:
    """One of those that take turns; belongs to one line."""

    __slots__ = ("_entry", "_is_new", "_tag", "_turns", "weight")

    def __init__(self, weight: float = 1.0) -> None:
        """``weight``: share relative to a member of weight 1."""
        self.weight = weight
        self._tag = -math.inf
        self._is_new = True  # had no turn
        self._turns = 0  # under way
        self._entry: list[Any] | None = None  # in the heap, while it waits

    @property
    def waits(self) -> bool:
        """Whether it stands in line."""
        return self._entry is not None


M = TypeVar("M", bound=Member)


class FairLine(Generic[M]):
    """Members that wait for their turns. Not thread-safe: the caller holds a lock."""

    def __init__(self) -> None:
        self._heap: list[list[Any]] = []  # tag, whether it is new, order of arrival, member
        self._arrivals = itertools.count()
        self._waiting = self._active = 0
        self._weight = 0.0  # of the active ones, which wait or have a turn
        self._taken = self._clock = self._largest = 0.0

    def __len__(self) -> int:
        """How many members wait."""
        return self._waiting

    def enter(self, member: M) -> None:
        """Put a member that wants a turn in line. It must not wait already; turns of it may be under way."""
        if not member._turns:
            self._active += 1
            self._weight += member.weight
        member._tag = self._clock if member._tag == -math.inf else max(member._tag, self._taken)
        self._waiting += 1
        self._push(member)

    def _push(self, member: M) -> None:
        member._entry = [member._tag, member._is_new, next(self._arrivals), member]
        heapq.heappush(self._heap, member._entry)

    def peek(self) -> M:
        """The member whose turn it is; some must wait."""
        while True:
            member: M = self._heap[0][-1]
            if member._entry is self._heap[0]:
                return member
            heapq.heappop(self._heap)  # its tag has changed since

    def in_order(self) -> Iterator[M]:
        """The members that wait, first the one whose turn it is. The line must not change meanwhile."""
        yield self.peek()
        for entry in sorted(self._heap)[1:]:
            if entry[-1]._entry is entry:
                yield entry[-1]

    def take(self, member: M | None = None) -> M:
        """Take out the member whose turn it is, or another one that waits; some must wait."""
        first = self.peek()
        member = member or first
        member._entry = None
        member._turns += 1
        member._is_new = False
        self._waiting -= 1
        if member is first:
            heapq.heappop(self._heap)
            self._taken = max(self._taken, member._tag)
            self._clock = max(self._clock, self._taken)
        return member

    def charge(self, member: M, estimate: float) -> None:
        """Charge about what the turn that was just taken will cost, before the member enters again."""
        member._tag += estimate / member.weight

    def end(self, member: M, cost: float, estimate: float) -> None:
        """Note the end of a turn that was charged ``estimate`` and cost ``cost``."""
        member._turns -= 1
        member._tag += (cost - estimate) / member.weight
        self._largest = max(self._largest, member._tag)
        self._clock = max(self._clock, min(self._clock + cost / self._weight, self._largest))
        if member.waits:
            self._push(member)
        elif not member._turns:
            self._active -= 1
            self._weight -= member.weight
            if not self._active:  # all begin again as equals
                self._weight, self._taken, self._clock = 0.0, self._largest, self._largest
