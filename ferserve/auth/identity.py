"""Identities and their roles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Role = Literal["use", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end of a connection, as the transport knows it."""

    address: str
    """Its network address without port, for IPv6 the network /64; ``unix:`` for a Unix domain socket."""
    private: bool
    """Whether nobody on the way can read along: TLS, this machine's loopback, or a Unix domain socket."""
    certificate_names: tuple[str, ...] = ()
    """What the client's certificate says and one of the server's authorities vouches for."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who calls, and what they may."""

    name: str
    """``token NAME``, ``certificate NAME``, or the client's network address; the unit of limits and shares."""
    role: Role
    """``use`` for calls that change nothing for others, ``admin`` for all calls."""
    authenticated: bool = False
    """Whether a token or a certificate vouches for the name."""
    token_id: str = ""
    """Of the token that vouches for it; empty otherwise."""
