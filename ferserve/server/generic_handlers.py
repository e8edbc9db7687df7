"""Handlers without a cost for each method that nobody calls."""

from __future__ import annotations

from typing import Any

import grpc


def use_generic_handlers(server: grpc.aio.Server) -> None:
    """Let services add themselves to ``server`` without registering single methods.

    Generated code registers every method twice. For the second time grpc.aio keeps a task per method and waits anew for
    all of them with each call (``asyncio.wait``), so a service of twenty methods would slow the calls of all others.
    """
    server.add_registered_method_handlers = _ignore


def _ignore(service_name: str, handlers: Any) -> None:
    """The generic handlers find the same methods."""
