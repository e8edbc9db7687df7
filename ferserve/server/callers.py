"""Who calls: the client behind a call, as limits and shares count it."""

from __future__ import annotations

import ipaddress
from typing import Any

from ferserve.scheduling.caller import Caller

_NETWORK_BITS = 64
"""Of an IPv6 address: the part that a provider gives to one customer, who has all addresses below it."""


def caller_of(context: Any) -> Caller:
    """The client of a call: the identity in its certificate if the server asks for one, else its address."""
    identities = context.peer_identities()
    if identities:
        return Caller("certificate " + b" ".join(identities).decode("utf-8", "replace"), authenticated=True)
    return Caller(network_of(client_address(context.peer())))


def client_address(peer: str) -> str:
    """gRPC's name of a peer, such as ``ipv4:10.0.0.7:40112`` or ``ipv6:%5B::1%5D:40112``, without scheme and port."""
    scheme, _, address = peer.partition(":")
    return address.rpartition(":")[0] if scheme in ("ipv4", "ipv6") else peer


def network_of(address: str) -> str:
    """The network of an IPv6 address; any other as it is."""
    bare = address.removeprefix("%5B").removesuffix("%5D").partition("%25")[0]
    if ":" not in bare:
        return address
    try:
        return str(ipaddress.ip_network((bare, _NETWORK_BITS), strict=False))
    except ValueError:
        return address
