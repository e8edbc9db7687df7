"""Names of the gRPC metadata that servers and clients tell each other beside the messages."""

from __future__ import annotations

from typing import Final

WORKER_KEY: Final = "ferserve-worker"
"""From the server: which of its workers carries the stream. From the client: which one had the stream before."""
MOVABLE_KEY: Final = "ferserve-movable"
"""From a client that, asked to, opens the stream anew on another connection; its value is of no matter."""
