"""Options that every gRPC server of ours has."""

from __future__ import annotations

import dataclasses

from ferserve.config import ServerConfig
from ferserve.server.files import connections_within_files

_MAX_BYTES_PER_PX = 4
"""Of an uncompressed picture with an alpha channel, such as a BMP."""
_OTHER_BYTES = 1024 * 1024
"""Of a message, besides pixels."""
_MAX_DEFAULT_BYTES = 64 * 1024 * 1024
"""A few of these and their copies must fit into memory; docs/decisions/0062 says which pictures are larger."""

_WINDOW_BYTES = 64 * 1024
"""What a client may send on a stream before anybody reads from it. By itself gRPC makes that many megabytes, even on
streams that nobody reads."""
_MIN_CALLS_PER_CONNECTION = 100
_HANDSHAKE_MS = 10_000
_WITHOUT_COMPRESSION = 1
"""The bit of ``identity``. gRPC inflates a message before it looks at its size: kilobytes become gigabytes."""


def with_message_limit(config: ServerConfig, max_pixels: int) -> ServerConfig:
    """``config`` with a message limit that follows from ``max_pixels``, unless it sets one itself."""
    if config.max_message_bytes:
        return config
    needed = max_pixels * _MAX_BYTES_PER_PX + _OTHER_BYTES
    return dataclasses.replace(config, max_message_bytes=min(needed, _MAX_DEFAULT_BYTES))


def server_options(config: ServerConfig, *, shares_port: bool) -> list[tuple[str, int]]:
    """Sizes, windows, times, and whether other processes may listen on the same port."""
    return [
        *_connection_options(config),
        ("grpc.max_receive_message_length", config.max_message_bytes),
        ("grpc.max_send_message_length", -1),
        # Without workers a second server on the port is an error: the system would deal connections to either.
        ("grpc.so_reuseport", int(shares_port)),
        # Clients may ask every ten seconds whether the server is alive, and are not sent away for it.
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
        # Streams of peers that vanished without a word end after half a minute.
        ("grpc.keepalive_time_ms", 20_000),
        ("grpc.keepalive_timeout_ms", 10_000),
    ]


def _connection_options(config: ServerConfig) -> list[tuple[str, int]]:
    """What a connection may hold, and how long it may live."""
    options = [
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", _WINDOW_BYTES),
        ("grpc.max_concurrent_streams", max(_MIN_CALLS_PER_CONNECTION, config.max_streams_per_client)),
        # With it, gRPC refuses streams of clients that keep the limit, if they open one as another ends.
        ("grpc.http.overload_protection", 0),
        ("grpc.compression_enabled_algorithms_bitset", _WITHOUT_COMPRESSION),
        ("grpc.max_allowed_incoming_connections", connections_within_files(config.max_connections)),
        ("grpc.server_handshake_timeout_ms", _HANDSHAKE_MS),
        ("grpc.http2.settings_timeout", _HANDSHAKE_MS),
    ]
    if config.max_connection_idle_s:
        options.append(("grpc.max_connection_idle_ms", int(config.max_connection_idle_s * 1000)))
    if config.max_connection_age_s:
        options.append(("grpc.max_connection_age_ms", int(config.max_connection_age_s * 1000)))
        options.append(("grpc.max_connection_age_grace_ms", int(config.grace_s * 1000)))
    return options
