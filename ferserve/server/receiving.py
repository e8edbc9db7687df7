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
from functools import partial
from typing import Any

import grpc

from ferserve.auth.identity import Identity
from ferserve.config import ServerConfig
from ferserve.errors import FrameDeadlineError, OverloadedError, StreamProtocolError
from ferserve.server.callers import connection_name
from ferserve.server.client_limit import ClientLimit
from ferserve.server.copy_turns import CopyTurns
from ferserve.server.large_reads import LargeReads
from ferserve.server.meter import LARGE_BYTES, Meter, Read
from ferserve.server.rate_limit import ClientRates
from ferserve.server.sockets import Connection, Endpoint, endpoint_of
from ferserve.server.unbroken import Unbroken
from ferserve.wire.pixels import Pixels

_RESTFUL_BYTES = 4 * 1024 * 1024
"""A message from here on is copied for so long that others notice."""
_REST_S_PER_BYTE = 5e-9
"""After its copy, while others are at work: six times as long as that takes, so they seldom meet one."""
_LONG_S = 0.002
"""What took longer on the event loop was the copy of a large message."""
_AT_WORK_S = 1.0
"""Who sent a small message lately is at work: the slowest cameras send one per second."""


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
        self._copies = CopyTurns()

    def context(
        self, context: Any, parse: Callable[[bytes], Any], identity: Identity, pixels: Pixels | None = None
    ) -> ReceivingContext:
        """The ``context`` of a call of ``identity``, whose messages this receiver reads and ``parse`` makes; what that
        leaves out is in ``pixels``.
        """

        def parse_counted(message: bytes) -> Any:
            self.rates.count_message(identity.name, len(message))
            return parse(message)

        return ReceivingContext(self, context, parse_counted, identity, pixels or Pixels())

    async def read(self, context: Any, parse: Callable[[bytes], Any], *, is_first: bool) -> Any:
        """The next message of a call, or ``grpc.aio.EOF``; the first has to come in time.

        Raises :class:`FrameDeadlineError` if it does not, :class:`OverloadedError` if too much is unfinished, and what
        ``parse`` raises.
        """
        meter = self._meter(context)
        if meter.usual_bytes < LARGE_BYTES:
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
            message = await Unbroken(self._take(context, meter), partial(self._turn, meter))
            return message if message is grpc.aio.EOF else parse(message)
        except asyncio.CancelledError:
            if read.refusal is None:
                raise
            raise read.refusal from None
        except Exception as error:
            raise error.with_traceback(None) from None  # the frames of the parser would keep the message
        finally:
            self._waiting -= 1
            meter.reads.remove(read)
            message = read.refusal = None  # an error's traceback leads back here, and would keep the message

    async def _take(self, context: Any, meter: Meter) -> Any:
        """gRPC's next message of a call, counted, even if nobody waits for it any more."""
        try:
            message = await context.read()
        except Exception:  # the call ended, perhaps after its message was copied in vain
            if not meter.is_small and self._copies.spent_s() > _LONG_S:
                self._rest_after(meter, int(meter.usual_bytes))
            raise
        if message is not grpc.aio.EOF:
            meter.deliver(len(message))
            if len(message) >= LARGE_BYTES:
                self._rest_after(meter, len(message))
        return message

    def _turn(self, meter: Meter) -> asyncio.Future[None] | None:
        return None if meter.is_small else self._copies.turn(meter.client)

    def _rest_after(self, meter: Meter, message_bytes: int) -> None:
        """Let no other large message be copied for a while after one of ``meter``, if others are at work."""
        recently_s = time.monotonic() - _AT_WORK_S
        at_work = message_bytes >= _RESTFUL_BYTES and any(
            other.is_small and other.delivered_s > recently_s for other in self._meters.values()
        )
        self._copies.rest(message_bytes * _REST_S_PER_BYTE if at_work else 0.0)

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

    def measure(self, connections: Iterable[Connection]) -> None:
        """Take new readings of connections, at once after they were made."""
        for connection in connections:
            if (meter := self._meters.get(connection.peer)) is not None:
                meter.update(connection, self._max_message)

    def check_bytes(self, connections: Iterable[Connection]) -> bool:
        """Refuse the calls of the connections that hold the most, until every budget is kept; all were measured.

        Returns whether the budgets are about to be reached, so that the next check should come sooner.
        """
        found = {connection.peer for connection in connections}
        for peer in [peer for peer, meter in self._meters.items() if peer not in found and not meter.reads]:
            del self._meters[peer]
        for client in [client for client, turns in self._large.items() if not turns]:
            del self._large[client]
        held = {meter: meter.unfinished for peer, meter in self._meters.items() if peer in found}
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

    def __init__(
        self, receiver: Receiver, context: Any, parse: Callable[[bytes], Any], identity: Identity, pixels: Pixels
    ) -> None:
        self.identity = identity
        """Who calls."""
        self.pixels = pixels
        """What was left out of the last message; whoever has read it clears them."""
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
