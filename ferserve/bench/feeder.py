"""Sends single crops as fast as they are answered, so many at a time. Runs in a process of its own."""

from __future__ import annotations

import gc
import time
from array import array
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Protocol

from ferserve.bench.live import LiveStream, open_streams
from ferserve.bench.messages import frame_request
from ferserve.bench.poller import Poller
from ferserve.errors import FerserveError, ServerUnavailableError
from ferserve.v1 import emotion_pb2 as pb

WARMUP_S = 1.0


@dataclass(frozen=True)
class FeedPlan:
    """``outstanding`` messages are always under way, over ``connections`` streams; ``bodies`` over and over."""

    target: str
    connections: int
    outstanding: int
    seconds: float
    bodies: tuple[bytes, ...]
    config: bytes = b""
    """The first message of each stream."""
    batch: int = 1
    """Crops per message, for doors whose answers do not say."""


@dataclass
class FeedTally:
    """What came back within the measured time."""

    crops: int = 0
    failed: int = 0
    """Messages answered by a fault or a drop."""
    fault: str = ""
    """What the last fault said, before the measured time too: a server that refuses says so at once."""
    latencies: array[int] = field(default_factory=lambda: array("q"))
    """Send to answer of a message, ns."""
    seconds: float = 0.0
    cpu_s: float = 0.0


class Feed(Protocol):
    """A connection that always has messages under way."""

    counting: bool
    """Whether answers count already."""

    @property
    def ended(self) -> bool:
        """Whether the server ended it."""


class _StreamFeed:
    """One stream that sends a message for each answer."""

    def __init__(self, plan: FeedPlan, number: int, tally: FeedTally) -> None:
        self.counting = False
        self._bodies = plan.bodies
        self._next_id = number
        self._step = plan.connections
        self._tally = tally
        self._sent_ns: deque[int] = deque()
        self.stream = LiveStream(plan.target, plan.config, self._on_result)

    @property
    def ended(self) -> bool:
        """See :class:`Feed`."""
        return self.stream.call.ended

    def queue(self) -> None:
        """The next message; it leaves with the others of its stream that are queued at the time."""
        self._next_id += self._step
        now_ns = time.monotonic_ns()
        self._sent_ns.append(now_ns)
        self.stream.call.queue(*frame_request(self._next_id, now_ns, self._bodies[self._next_id % len(self._bodies)]))

    def _on_result(self, result: pb.FrameResult) -> None:
        now_ns = time.monotonic_ns()
        sent_ns = self._sent_ns.popleft()  # answers come in the order of the frames
        self.queue()
        self._tally.fault = result.fault.message or self._tally.fault
        if not self.counting:
            return
        if result.WhichOneof("outcome") == "faces":
            self._tally.crops += len(result.faces.faces)
            self._tally.latencies.append(now_ns - sent_ns)
        else:
            self._tally.failed += 1


def feed(plan: FeedPlan, parent: Connection) -> None:
    """Open the streams, say "ready", receive the monotonic ns to begin to count at, and send the :class:`FeedTally`.

    Sends a :class:`FerserveError` instead of either if the server cannot be used.
    """
    tally = FeedTally()
    try:
        with Poller() as poller:
            feeds = [_StreamFeed(plan, number, tally) for number in range(plan.connections)]
            open_streams([item.stream for item in feeds], poller)
            gc.freeze()
            gc.disable()
            for i in range(plan.outstanding):
                feeds[i % len(feeds)].queue()
            for item in feeds:
                item.stream.call.flush()
            parent.send("ready")
            run_feeds(feeds, poller, tally, plan, parent.recv())
        parent.send(tally)
    except FerserveError as error:
        parent.send(error)


def run_feeds(feeds: Sequence[Feed], poller: Poller, tally: FeedTally, plan: FeedPlan, begin_ns: int) -> None:
    """Poll, and count for ``plan.seconds`` from ``begin_ns`` on."""
    while time.monotonic_ns() < begin_ns:
        poller.wait(0.001)
    cpu_s, begun = time.process_time(), time.perf_counter()
    for item in feeds:
        item.counting = True
    while (elapsed := time.perf_counter() - begun) < plan.seconds:
        poller.wait(0.05)
    tally.cpu_s, tally.seconds = time.process_time() - cpu_s, elapsed
    if any(item.ended for item in feeds):
        raise ServerUnavailableError("server must keep every stream open, got one that it ended; see the server's log")
