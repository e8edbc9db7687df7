"""Who calls: the client behind a call, as limits and shares count it."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import Any

from ferserve.addresses import is_loopback
from ferserve.auth.identity import Identity, Peer
from ferserve.scheduling.caller import Caller

_NETWORK_BITS = 64
"""Of an IPv6 address: the part that a provider gives to one customer, who has all addresses below it."""


def identity_of(context: Any) -> Identity:
    """Who calls; ``context`` is that of a handler behind :class:`ferserve.server.gate.Gate`."""
    identity: Identity = context.identity
    return identity


def caller_of(context: Any) -> Caller:
    """The client of a call: the identity that a token or a certificate vouches for, else its address.

    An administrator is trusted with priorities that count against other clients.
    """
    identity = identity_of(context)
    trusted = identity.role == "admin" and identity.authenticated
    return Caller(identity.name, trusted=trusted, authenticated=identity.authenticated)


def peer_of(context: Any, *, tls: bool) -> Peer:
    """The other end of gRPC's ``context``; ``tls``: whether the port speaks it."""
    peer = context.peer()
    address = client_address(peer)
    private = tls or peer.startswith("unix") or is_loopback(address.removeprefix("%5B").removesuffix("%5D"))
    names = tuple(name.decode("utf-8", "replace") for name in context.peer_identities() or ())
    return Peer(network_of(address), private, names)


def connection_name(context: Any) -> str:
    """Whose connection it is, before anybody looked at a call: that of a certificate, else of an address."""
    names = context.peer_identities()
    if names:
        return "certificate " + b" ".join(names).decode("utf-8", "replace")
    return network_of(client_address(context.peer()))


def client_address(peer: str) -> str:
    """gRPC's name of a peer, such as ``ipv4:10.0.0.7:40112`` or ``ipv6:%5B::1%5D:40112``, without scheme and port."""
    scheme, _, address = peer.partition(":")
    return address.rpartition(":")[0] if scheme in ("ipv4", "ipv6") else peer


@lru_cache(maxsize=1024)
def network_of(address: str) -> str:
    """The network of an IPv6 address; any other as it is."""
    bare = address.removeprefix("%5B").removesuffix("%5D").partition("%25")[0]
    if ":" not in bare:
        return address
    try:
        return str(ipaddress.ip_network((bare, _NETWORK_BITS), strict=False))
    except ValueError:
        return address
