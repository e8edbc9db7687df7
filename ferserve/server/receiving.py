"""Messages on their way in: how long they may take, and how many bytes of unfinished ones may be held.

gRPC collects a message before it shows it to anybody, for every call that waits for one. So what it holds is
measured from outside: what a connection has received, less the messages that came out of it. As long as the calls
that wait could not exceed the budget even with the largest messages, nothing is measured.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import grpc

from ferserve.auth.identity import Identity
from ferserve.config import ServerConfig
from ferserve.errors import FerserveError, FrameDeadlineError, OverloadedError, StreamProtocolError
from ferserve.server.callers import connection_name
from ferserve.server.client_limit import ClientLimit
from ferserve.server.large_reads import LargeReads
from ferserve.server.rate_limit import ClientRates
from ferserve.server.sockets import Connection, Endpoint, endpoint_of
from ferserve.server.unbroken import Unbroken

_LARGE_BYTES = 1024 * 1024
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
        """The largest message lately."""
        self.reads: set[Read] = set()
        self._unfinished = 0
        self._delivered = 0

    def deliver(self, message_bytes: int) -> None:
        """Count a message that came out."""
        frames = message_bytes // _FRAME_BYTES + 1
        self._delivered += message_bytes + frames * _FRAME_HEADER_BYTES + _OVERHEAD_BYTES
        self.usual_bytes = max(float(message_bytes), self.usual_bytes * _FORGETTING)

    def refuse_all(self, error: FerserveError) -> None:
        """Refuse every call of the connection that waits for a message."""
        for read in self.reads:
            read.refuse(error)

    def update(self, now: Connection, max_message_bytes: int) -> int:
        """Take a new reading of the kernel's count; returns the bytes of unfinished messages at most.

        Headers and pings count too, so the difference grows slowly over days; the calls that wait bound it anew.
        """
        if now.inode != self.inode:  # a new connection from the same port
            self.inode, self.received, self._unfinished = now.inode, 0, 0
            for read in self.reads:
                read.from_byte = 0
        grown = self._unfinished + now.received_bytes - self.received - self._delivered
        possible = sum(min(now.received_bytes - read.from_byte, max_message_bytes) for read in self.reads)
        self._unfinished = max(0, min(grown, possible))
        self.received, self._delivered = now.received_bytes, 0
        return self._unfinished


class Receiver:
    """Reads the messages of all calls on a port. For the event loop's thread alone; :meth:`check` is called often."""

    def __init__(self, config: ServerConfig) -> None:
        self._timeout_s = config.receive_timeout_s
        self._max_message = config.max_message_bytes
        self._budget = max(config.max_receiving_bytes, self._max_message)
        self._client_budget = max(config.max_receiving_bytes_per_client, self._max_message)
        self._meters: dict[Endpoint | None, Meter] = {}
        self._waiting = 0
        self.calls = ClientLimit(
            "calls in flight", config.max_calls_per_client, "server.max_calls_per_client", "wait for one first"
        )
        self.rates = ClientRates(config)
        self._large: dict[str, LargeReads] = defaultdict(LargeReads)
        self._parsing = asyncio.Lock()
        """Held for each large message."""

    def context(self, context: Any, parse: Callable[[bytes], Any], identity: Identity) -> ReceivingContext:
        """The ``context`` of a call of ``identity``, whose messages this receiver reads and ``parse`` makes."""

        def parse_counted(message: bytes) -> Any:
            self.rates.count_message(identity.name, len(message))
            return parse(message)

        return ReceivingContext(self, context, parse_counted, identity)

    async def read(self, context: Any, parse: Callable[[bytes], Any], *, is_first: bool) -> Any:
        """The next message of a call, or ``grpc.aio.EOF``; the first has to come in time.

        Raises :class:`FrameDeadlineError` if it does not, :class:`OverloadedError` if too much is unfinished, and what
        ``parse`` raises.
        """
        meter = self._meter(context)
        if meter.usual_bytes < _LARGE_BYTES:
            return await self._read(context, parse, meter, is_first)
        turns = self._large[meter.client]
        with await turns.turn(max(1, int(self._client_budget / (2 * meter.usual_bytes)))):
            return await self._read(context, parse, meter, is_first)

    async def _read(self, context: Any, parse: Callable[[bytes], Any], meter: Meter, is_first: bool) -> Any:
        read = Read(meter, time.monotonic() + self._timeout_s if is_first else float("inf"))
        meter.reads.add(read)
        self._waiting += 1
        message: Any = None
        try:
            message = await Unbroken(context.read())
            if message is grpc.aio.EOF:
                return message
            read.deadline = float("inf")
            if len(message) < _LARGE_BYTES:
                return parse(message)
            async with self._parsing:
                await asyncio.sleep(0)  # one in each pass of the loop, so that others, and the guard, have their turn
                return parse(message)
        except asyncio.CancelledError:
            if read.refusal is None:
                raise
            raise read.refusal from None
        except Exception as error:
            raise error.with_traceback(None) from None  # the frames of the parser would keep the message
        finally:
            self._waiting -= 1
            meter.reads.remove(read)
            if isinstance(message, bytes):
                meter.deliver(len(message))
            message = read.refusal = None  # an error's traceback leads back here, and would keep the message

    def needs_measuring(self) -> bool:
        """Whether the calls that wait could exceed a budget, were all their messages of the largest size."""
        return self._waiting * self._max_message > min(self._budget, self._client_budget)

    def check_deadlines(self) -> None:
        """Refuse calls whose first message takes too long."""
        now = time.monotonic()
        for read in [read for meter in self._meters.values() for read in meter.reads if read.deadline < now]:
            read.refuse(
                FrameDeadlineError(
                    f"the first message of a call must arrive within {self._timeout_s:g} s "
                    "(server.receive_timeout_s), got no whole one; send it sooner, or send less"
                )
            )

    def check_bytes(self, connections: Iterable[Connection]) -> bool:
        """Refuse the calls of the connections that hold the most, until every budget is kept.

        Returns whether the budgets are about to be reached, so that the next check should come sooner.
        """
        found = {connection.peer: connection for connection in connections}
        for peer in [peer for peer, meter in self._meters.items() if peer not in found and not meter.reads]:
            del self._meters[peer]
        for client in [client for client, turns in self._large.items() if not turns]:
            del self._large[client]
        held = {
            meter: meter.update(found[peer], self._max_message)
            for peer, meter in self._meters.items()
            if peer is not None and peer in found
        }
        by_client: dict[str, int] = defaultdict(int)
        for meter, unfinished in held.items():
            by_client[meter.client] += unfinished
        total = sum(by_client.values())
        soon = 4 * max(by_client.values(), default=0) > self._client_budget or 4 * total > self._budget
        for meter, unfinished in sorted(held.items(), key=lambda pair: -pair[1]):
            if by_client[meter.client] > self._client_budget:
                meter.refuse_all(_too_much(self._client_budget, "server.max_receiving_bytes_per_client"))
            elif total > self._budget:
                meter.refuse_all(_too_much(self._budget, "server.max_receiving_bytes"))
            else:
                continue
            by_client[meter.client] -= unfinished
            total -= unfinished
        return soon

    def _meter(self, context: Any) -> Meter:
        endpoint = endpoint_of(context.peer())
        meter = self._meters.get(endpoint)
        if meter is None:
            meter = self._meters[endpoint] = Meter(connection_name(context))
        return meter


def _too_much(limit: int, name: str) -> OverloadedError:
    return OverloadedError(
        f"unfinished messages must have at most {limit} bytes ({name}), got more; "
        "send fewer at a time, and each to its end",
        name,
    )


class ReceivingContext:
    """gRPC's context of one call, with messages that come through a :class:`Receiver`."""

    def __init__(self, receiver: Receiver, context: Any, parse: Callable[[bytes], Any], identity: Identity) -> None:
        self.identity = identity
        """Who calls."""
        self._receiver = receiver
        self._context = context
        self._parse = parse
        self._is_first = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    async def write(self, message: Any) -> None:
        """Send a message; waits until gRPC has taken it."""
        await Unbroken(self._context.write(message))

    async def read(self) -> Any:
        """The next message, or ``grpc.aio.EOF``. Raises as :meth:`Receiver.read`, and :class:`DecodeError`."""
        is_first, self._is_first = self._is_first, False
        await self._receiver.rates.before_message(self.identity.name)
        return await self._receiver.read(self._context, self._parse, is_first=is_first)

    async def read_one(self, method: str) -> Any:
        """The message of a unary call. Raises as :meth:`read`, and :class:`StreamProtocolError` if there is none."""
        message = await self.read()
        if message is grpc.aio.EOF:
            raise StreamProtocolError(f"a call of {method} must have one message, got none")
        return message

    async def messages(self) -> AsyncIterator[Any]:
        """All messages, one after the other."""
        while (message := await self.read()) is not grpc.aio.EOF:
            yield message
