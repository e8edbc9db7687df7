"""Names of the gRPC metadata that servers and clients tell each other beside the messages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

WORKER_KEY: Final = "ferserve-worker"
"""From the server: which of its workers carries the stream. From the client: which one had the stream before."""
MOVABLE_KEY: Final = "ferserve-movable"
"""From a client that, asked to, opens the stream anew on another connection; its value is of no matter."""


def as_dict(metadata: Iterable[tuple[str, Any]] | None) -> dict[str, str]:
    """gRPC's metadata by key. ``dict()`` itself fails on the Metadata of grpcio 1.78: its ``keys`` are pairs."""
    return {key: str(value) for key, value in metadata or ()}
