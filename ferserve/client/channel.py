"""How clients open their channel."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import grpc

from ferserve.client.encoding import is_local
from ferserve.client.fork import note_grpc_use
from ferserve.config import NO_TLS, Tls
from ferserve.errors import ConfigError
from ferserve.wire.tls import channel_credentials

_SERVICE: Final = "ferserve.v1.EmotionService"

_SERVICE_CONFIG: Final = {
    "methodConfig": [
        {
            # Unary calls change nothing on the server, so they may be sent again; a stream resumes by itself.
            "name": [{"service": _SERVICE, "method": name} for name in ("Classify", "ListModels", "GetModel")],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.1s",
                "maxBackoff": "1s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ]
}


_TARGET: Final = re.compile(r"(unix|unix-abstract|dns|ipv4|ipv6|xds):.+|.+:[0-9]{1,5}")
"""HOST:PORT, or one of gRPC's schemes. Without a port gRPC would take 443."""


def open_channel(target: str, tls: Tls = NO_TLS) -> grpc.aio.Channel:
    """A channel that comes back soon after its server does.

    Raises :class:`ConfigError` for what is no address, and for TLS files that are not what they should be.
    """
    if not _TARGET.fullmatch(target):
        raise ConfigError(f"target must be HOST:PORT or unix:PATH, got {target!r}")
    options: list[tuple[str, Any]] = [
        ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
        ("grpc.max_send_message_length", -1),
        ("grpc.max_receive_message_length", -1),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 2_000),
        # A peer that vanished without a word is noticed within half a minute.
        ("grpc.keepalive_time_ms", 20_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        # A call that was sent can be sent again while gRPC still holds all of it.
        ("grpc.per_rpc_retry_buffer_size", 64 * 1024 * 1024),
        # Clients do not share connections: closing one must not slow down another.
        ("grpc.use_local_subchannel_pool", 1),
    ]
    if is_local(target):
        options.append(("grpc.enable_http_proxy", 0))  # no proxy of the environment knows this machine
    credentials = channel_credentials(tls)
    note_grpc_use()
    if credentials:
        return grpc.aio.secure_channel(target, credentials, options=options)
    return grpc.aio.insecure_channel(target, options=options)
