"""What one connection has received, and which of its calls wait for a message."""

from __future__ import annotations

import asyncio
import time

from ferserve.errors import FerserveError
from ferserve.server.sockets import Connection

LARGE_BYTES = 1024 * 1024
"""A message from here on is copied for longer than a small frame is answered."""
_FORGETTING = 0.9
"""What the largest message counts for with each later one."""
_FRAME_BYTES = 16_384
_FRAME_HEADER_BYTES = 9
_OVERHEAD_BYTES = 5 + 13
"""Of a message besides its frames: gRPC's own header, and the flow control of its answer."""


class Read:
    """One call that waits for its next message."""

    __slots__ = ("connection", "deadline", "from_byte", "refusal", "task")

    def __init__(self, connection: Meter, deadline: float) -> None:
        self.connection = connection
        self.deadline = deadline
        self.from_byte = connection.received
        """What its connection had received when it began to wait: no earlier byte belongs to its message."""
        self.refusal: FerserveError | None = None
        self.task = asyncio.current_task()

    def refuse(self, error: FerserveError) -> None:
        """Let the waiting call raise ``error``."""
        self.refusal = error
        if self.task is not None:
            self.task.cancel()


class Meter:
    """What one connection has received, and how much of that has come out as messages."""

    def __init__(self, client: str) -> None:
        self.client = client
        self.inode = 0
        self.received = 0
        self.usual_bytes = 0.0
        """The largest message lately; 0 before the first."""
        self.delivered_s = 0.0
        """When its last message came out, on the monotonic clock."""
        self.reads: set[Read] = set()
        self.unfinished = 0
        """Bytes of unfinished messages at most, at the last reading."""
        self._delivered = 0

    def deliver(self, message_bytes: int) -> None:
        """Count a message that came out."""
        frames = message_bytes // _FRAME_BYTES + 1
        self._delivered += message_bytes + frames * _FRAME_HEADER_BYTES + _OVERHEAD_BYTES
        self.usual_bytes = max(float(message_bytes), self.usual_bytes * _FORGETTING)
        self.delivered_s = time.monotonic()

    @property
    def is_small(self) -> bool:
        """Whether its messages are known to be small."""
        return 0 < self.usual_bytes < LARGE_BYTES

    def refuse_all(self, error: FerserveError) -> None:
        """Refuse every call of the connection that waits for a message."""
        for read in self.reads:
            read.refuse(error)

    def update(self, now: Connection, max_message_bytes: int) -> int:
        """Take a new reading of the kernel's count; returns the bytes of unfinished messages at most.

        Headers and pings count too, so the difference grows slowly over days; the calls that wait bound it anew.
        """
        if now.inode != self.inode:  # a new connection from the same port
            self.inode, self.received, self.unfinished = now.inode, 0, 0
            for read in self.reads:
                read.from_byte = 0
        grown = self.unfinished + now.received_bytes - self.received - self._delivered
        possible = sum(min(now.received_bytes - read.from_byte, max_message_bytes) for read in self.reads)
        self.unfinished = max(0, min(grown, possible))
        self.received, self._delivered = now.received_bytes, 0
        return self.unfinished
