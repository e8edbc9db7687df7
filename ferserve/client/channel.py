"""The channel of a client, and the addresses that it takes."""

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
_ADMIN_SERVICE: Final = "ferserve.v1.AdminService"

_SERVICE_CONFIG: Final = {
    "methodConfig": [
        {
            # Unary calls change nothing on the server, or the second time nothing more; a stream resumes by itself.
            "name": [
                *({"service": _SERVICE, "method": name} for name in ("Classify", "ListModels", "GetModel")),
                {"service": _ADMIN_SERVICE},
            ],
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

_ONE_OF_SEVERAL: Final = {"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": ""}}
"""gRPC watches the health of a server with this policy alone. Calls are not tried again here: others are asked."""


_SCHEMES: Final = ("unix", "unix-abstract", "dns", "ipv4", "ipv6", "xds")
"""Those of gRPC's naming."""
_LAST_PORT: Final = 65535


def require_target(target: str) -> None:
    """Raises :class:`ConfigError` unless ``target`` is HOST:PORT or has one of gRPC's schemes.

    gRPC would take port 443 if there were no port, 34463 for 99999, and ``http`` for the name of a host.
    """
    expected = f"target must be HOST:PORT or unix:PATH, got {target!r}"
    scheme, has_scheme, rest = target.partition(":")
    if rest.startswith("//") and scheme not in _SCHEMES:
        raise ConfigError(f"{expected}; leave out {scheme}://, and set tls for a server with a certificate")
    if has_scheme and rest and scheme in _SCHEMES and not (scheme == "dns" or rest.isdecimal()):
        return
    port = re.fullmatch(r"[^/]*[^/:]+:([0-9]+)", target.removeprefix("dns:").lstrip("/"))
    if port is None:
        raise ConfigError(expected)
    if not 1 <= int(port[1][:9]) <= _LAST_PORT:
        raise ConfigError(f"{expected}; a port is a number from 1 to {_LAST_PORT}")


def open_channel(target: str, tls: Tls = NO_TLS, *, one_of_several: bool = False) -> grpc.aio.Channel:
    """A channel that reconnects soon after its server is back; one to ``one_of_several`` servers watches its health.

    Raises :class:`ConfigError` for files of ``tls`` that are not what they should be.
    """
    options: list[tuple[str, Any]] = [
        ("grpc.service_config", json.dumps(_ONE_OF_SEVERAL if one_of_several else _SERVICE_CONFIG)),
        ("grpc.max_send_message_length", -1),
        ("grpc.max_receive_message_length", -1),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 2_000),
        # A peer that vanished is noticed within half a minute.
        ("grpc.keepalive_time_ms", 20_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        # A call can be sent again as long as gRPC holds all of it.
        ("grpc.per_rpc_retry_buffer_size", 64 * 1024 * 1024),
        # Clients do not share connections: closing one must not slow down another.
        ("grpc.use_local_subchannel_pool", 1),
    ]
    if is_local(target):
        options.append(("grpc.enable_http_proxy", 0))  # a proxy from the environment cannot reach this machine
    credentials = channel_credentials(tls)
    note_grpc_use()
    if credentials:
        return grpc.aio.secure_channel(target, credentials, options=options)
    return grpc.aio.insecure_channel(target, options=options)
