"""Sends tensors by ``ModelInfer`` as fast as they are answered, so many at a time. Runs in a process of its own."""

from __future__ import annotations

import gc
import time
from multiprocessing.connection import Connection

from ferserve.bench.feeder import FeedPlan, FeedTally, run_feeds
from ferserve.bench.poller import Poller
from ferserve.bench.tensors import METHOD
from ferserve.bench.unary import FAILED, UnaryCalls
from ferserve.errors import FerserveError


class _UnaryFeed:
    """One connection that begins a call for each answer."""

    def __init__(self, plan: FeedPlan, number: int, tally: FeedTally) -> None:
        self.counting = False
        self.calls = UnaryCalls(plan.target, METHOD)
        self._bodies, self._batch, self._tally = plan.bodies, plan.batch, tally
        self._next = number
        self._sent_ns: dict[int, int] = {}

    @property
    def ended(self) -> bool:
        """See :class:`ferserve.bench.feeder.Feed`."""
        return self.calls.ended

    def queue(self) -> None:
        """The next call; it leaves with the others of its connection that are queued at the time."""
        self._next += 1
        number = self.calls.queue(self._bodies[self._next % len(self._bodies)])
        self._sent_ns[number] = time.monotonic_ns()

    def on_message(self, message: bytes) -> None:
        """Count an answer, and begin the next call."""
        sent_ns = self._sent_ns.pop(self.calls.answered)
        if self.counting and message == FAILED:
            self._tally.failed += 1
        elif self.counting:
            self._tally.crops += self._batch
            self._tally.latencies.append(time.monotonic_ns() - sent_ns)
        self.queue()


def feed_unary(plan: FeedPlan, parent: Connection) -> None:
    """As :func:`ferserve.bench.feeder.feed`, with calls in place of streams."""
    tally = FeedTally()
    try:
        with Poller() as poller:
            feeds = [_UnaryFeed(plan, number, tally) for number in range(plan.connections)]
            for item in feeds:
                poller.add(item.calls, item.on_message)
            gc.freeze()
            gc.disable()
            for i in range(plan.outstanding):
                feeds[i % len(feeds)].queue()
            for item in feeds:
                item.calls.flush()
            parent.send("ready")
            run_feeds(feeds, poller, tally, plan, parent.recv())
        parent.send(tally)
    except FerserveError as error:
        parent.send(error)
