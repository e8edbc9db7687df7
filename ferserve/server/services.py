"""The interface of a protocol on the port.

A new protocol is a package ``server/<name>/`` with one :class:`Service`, and one line in
:class:`ferserve.server.Server`.
"""

from __future__ import annotations

from typing import Protocol

import grpc


class Service(Protocol):
    """Answers the calls of one protocol. Used within the server's event loop."""

    @property
    def name(self) -> str:
        """Full name of the gRPC service, under which its health can be asked for."""

    # A service whose methods change or inspect the server has ``admin_methods`` too, a set of their full names.

    def register(self, server: grpc.aio.Server) -> None:
        """Add the handlers; called once, in the event loop, before the server starts.

        Handlers must be coroutines; streaming ones write through their context. Errors are left to the interceptor.
        """

    async def drain(self, grace_s: float) -> None:
        """Let no stream go on, finish what is in flight, and return after ``grace_s`` at the latest; 0 does not wait.

        May be called again, with a shorter grace.
        """
