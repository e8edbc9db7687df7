"""gRPC metadata beside the messages."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import quote

REQUEST_ID_KEY: Final = "x-request-id"
"""In both directions: what a call is called in the server's log. Proxies such as Envoy set it too."""
WORKER_KEY: Final = "ferserve-worker"
"""From the server: index of the worker that carries the stream. From the client: the worker that carried it last."""
MOVABLE_KEY: Final = "ferserve-movable"
"""From a client that can open the stream again on a new connection if the server asks. The value is :data:`MOVED` on
such a connection, and counts for nothing otherwise."""
MOVED: Final = "moved"
STREAM_KEY: Final = "x-ferserve-stream"
"""From a client: the stream's name as :func:`stream_value` writes it, for proxies to hash."""
INSTANCE_KEY: Final = "x-ferserve-instance"
"""From the server: which process answers; before the first message of a stream, after the answer to a single call."""

_MAX_PLAIN = 128
"""Characters of a name that travels as it is. Proxies bound the bytes of all metadata together."""

AUTHORIZATION_KEY: Final = "authorization"
"""From a client: ``Bearer`` and its token."""


def authorization(token: str) -> tuple[tuple[str, str], ...]:
    """The metadata that shows ``token``; nothing for an empty one."""
    return ((AUTHORIZATION_KEY, f"Bearer {token}"),) if token else ()


def stream_value(stream_id: str) -> str:
    """The name of a stream as metadata, which may hold printable ASCII alone: in percent-encoding, or, if that is too
    long, its SHA-256; empty for no name."""
    value = quote(stream_id, safe="")
    return value if len(value) <= _MAX_PLAIN else hashlib.sha256(stream_id.encode("utf-8", "surrogatepass")).hexdigest()


def as_dict(metadata: Iterable[tuple[str, Any]] | None) -> dict[str, str]:
    """Metadata by key. ``dict()`` fails on the Metadata of grpcio 1.78, whose ``keys`` are pairs."""
    return {key: str(value) for key, value in metadata or ()}
