"""Who asks: the clients among which the machine is shared."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """A client, whose streams and calls share one client's part of the machine."""

    name: str = ""
    """Its identity, or its address if nobody vouches for one; empty for callers within the process."""
    trusted: bool = False
    """Whether a high priority counts against other clients too. Otherwise it orders the client's own streams only."""
    authenticated: bool = False
    """Whether somebody vouches for the name. Then it is enough to resume the client's streams."""


WITHIN_PROCESS = Caller(authenticated=True)
"""The caller of an engine that no server stands before."""
