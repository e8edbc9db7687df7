"""The servers of one client: one, or several among which streams and single calls are spread without a proxy."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence

import grpc

from ferserve.client.channel import open_channel, require_target
from ferserve.config import NO_TLS, Tls
from ferserve.errors import ConfigError

_OWN_COMMAS = ("ipv4:", "ipv6:")
"""Schemes of gRPC whose targets are lists themselves."""


def targets_of(target: str | Sequence[str]) -> tuple[str, ...]:
    """The addresses in what a caller gave, each once: one, several, or several with commas between.

    Raises :class:`ConfigError` if there is none, or one is no address.
    """
    if not isinstance(target, str):
        given = list(target)
    else:
        given = [target] if target.startswith(_OWN_COMMAS) else [part.strip() for part in target.split(",")]
    if not given:
        raise ConfigError("target must be HOST:PORT or several of them, got an empty list; name a server")
    for one in given:
        if not isinstance(one, str):
            raise ConfigError(f"target must be HOST:PORT or several of them, got {one!r} among them")
        require_target(one)
    return tuple(dict.fromkeys(given))


def stream_order(targets: Sequence[str], stream_id: str) -> list[str]:
    """The servers in the order in which a stream prefers them: rendezvous hashing (Thaler and Ravishankar 1998).

    Every stream has an order of its own, so a server that is gone leaves its streams to all others, and no other stream
    moves; a new one takes its part from each.
    """
    name = stream_id.encode("utf-8", "surrogatepass")
    return sorted(targets, key=lambda target: hashlib.blake2b(name + b"\0" + target.encode()).digest(), reverse=True)


class Servers:
    """A channel per server, opened when it is first used. For one event loop.

    Of several servers gRPC watches the health: one that says NOT_SERVING, or cannot be reached, gets new streams and
    calls only if all are like that. Servers that nothing was sent to get no connection.
    """

    def __init__(self, targets: Sequence[str], tls: Tls = NO_TLS) -> None:
        self.targets = tuple(targets)
        self._tls = tls
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._turns = itertools.count()

    @property
    def name(self) -> str:
        """All addresses, for messages."""
        return ", ".join(self.targets)

    def channel(self, target: str) -> grpc.aio.Channel:
        """The channel to one of the servers."""
        if target not in self._channels:
            self._channels[target] = open_channel(target, self._tls, one_of_several=len(self.targets) > 1)
        return self._channels[target]

    def for_stream(self, stream_id: str) -> list[str]:
        """The servers for a stream, the one to try first in front."""
        return self._well_first(stream_order(self.targets, stream_id))

    def for_call(self) -> list[str]:
        """The servers for a single call; each call begins with the next one."""
        turn = next(self._turns) % len(self.targets)
        return self._well_first([*self.targets[turn:], *self.targets[:turn]])

    def _well_first(self, targets: list[str]) -> list[str]:
        """The first that may be well, then all others; no connection is made to those."""
        if len(targets) == 1:
            return targets
        first = next((target for target in targets if self._may_be_well(target)), targets[0])
        return [first, *(target for target in targets if target != first)]

    def _may_be_well(self, target: str) -> bool:
        """False if it failed when it was last tried; also makes gRPC connect, and watch."""
        state = self.channel(target).get_state(try_to_connect=True)
        return state not in (grpc.ChannelConnectivity.TRANSIENT_FAILURE, grpc.ChannelConnectivity.SHUTDOWN)

    async def aclose(self) -> None:
        """Close every channel."""
        channels, self._channels = self._channels, {}
        for channel in channels.values():
            await channel.close()
