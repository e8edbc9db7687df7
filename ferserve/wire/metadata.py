"""gRPC metadata beside the messages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

REQUEST_ID_KEY: Final = "x-request-id"
"""In both directions: what a call is called in the server's log. Proxies such as Envoy set it too."""
WORKER_KEY: Final = "ferserve-worker"
"""From the server: index of the worker that carries the stream. From the client: the worker that carried it last."""
MOVABLE_KEY: Final = "ferserve-movable"
"""From a client that can open the stream again on a new connection if the server asks; the value is ignored."""

AUTHORIZATION_KEY: Final = "authorization"
"""From a client: ``Bearer`` and its token."""


def authorization(token: str) -> tuple[tuple[str, str], ...]:
    """The metadata that shows ``token``; nothing for an empty one."""
    return ((AUTHORIZATION_KEY, f"Bearer {token}"),) if token else ()


def as_dict(metadata: Iterable[tuple[str, Any]] | None) -> dict[str, str]:
    """Metadata by key. ``dict()`` fails on the Metadata of grpcio 1.78, whose ``keys`` are pairs."""
    return {key: str(value) for key, value in metadata or ()}
